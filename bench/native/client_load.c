/* Clients over connections that were opened before. Of at most 64 each waits for its answer and then asks again; of
 * more, 64 requests are under way, on each connection in turn.
 *
 *     client_load PORT CONNECTIONS          WebSockets: a message of 64 bytes, and its echo
 *     client_load PORT CONNECTIONS HOSTS    HTTP: GET of www0.example to www<HOSTS-1>.example in turn
 *
 * Prints `open` when all are. Each line on standard input is a number of seconds: it asks for so long and prints a
 * line of JSON once all that is under way is answered. Pings are answered meanwhile. A wrong answer or a lost
 * connection is counted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, ROOM = 4096, EVENTS = 256, AT_ONCE = 64, SLOTS = 2000000 /* of 1 µs */ };

struct client {
    int fd, is_open, is_waiting;
    double sent_at;
    size_t had;
    unsigned char in[ROOM];
};

static struct client *clients;
static int connections, epoll, hosts, is_asking, lost, wrong, dialled, opened, turn, under_way;
static unsigned times[SLOTS];
static unsigned long answers, asked;
static unsigned char message[6 + SIZE], echo[2 + SIZE];
static const unsigned char pong[] = {0x8a, 0x80, 0, 0, 0, 0};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void lose(struct client *client) {
    lost++;
    close(client->fd);
}

static void put(struct client *client, const void *data, ssize_t size) {
    if (send(client->fd, data, size, MSG_NOSIGNAL) != size)
        wrong++;
}

static void ask(struct client *client) {
    char request[128];
    client->sent_at = now();
    client->is_waiting = 1;
    under_way++;
    if (hosts)
        put(client, request,
            snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: www%lu.example\r\n\r\n", asked++ % hosts));
    else
        put(client, message, sizeof message);
}

static struct client *next_after(struct client *answered) {
    if (connections <= AT_ONCE)
        return answered;
    struct client *next;
    do
        next = &clients[turn++ % connections];
    while (next->is_waiting);
    return next;
}

static void answered(struct client *client) {
    long slot = (now() - client->sent_at) * 1e6;
    answers++;
    times[slot < SLOTS ? slot : SLOTS - 1]++;
    client->is_waiting = 0;
    under_way--;
    if (is_asking)
        ask(next_after(client));
}

static void dial(struct client *client, int port) {
    char request[256];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (client->fd < 0 || connect(client->fd, (void *)&address, sizeof address)) {
        perror("connect");
        exit(1);
    }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
    if (hosts) {
        ask(client); /* its first answer opens it: the session is there then */
        return;
    }
    int size = snprintf(request, sizeof request,
                        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        port);
    put(client, request, size);
}

static size_t take_response(struct client *client) {
    unsigned char *end = memmem(client->in, client->had, "\r\n\r\n", 4);
    if (!end || client->had < (size_t)(end + 4 + 13 - client->in))
        return 0;
    if (memcmp(client->in, "HTTP/1.1 200 ", 13) != 0 || memcmp(end + 4, "Hello, world!", 13) != 0)
        wrong++;
    if (client->is_open) {
        answered(client);
    } else {
        client->is_open = 1;
        client->is_waiting = 0;
        under_way--;
        opened++;
    }
    return end + 4 + 13 - client->in;
}

/* Bytes of the first thing in the buffer that has come whole; 0 while none has. */
static size_t take(struct client *client) {
    if (hosts)
        return take_response(client);
    if (!client->is_open) {
        unsigned char *end = memmem(client->in, client->had, "\r\n\r\n", 4);
        if (!end)
            return 0;
        if (memcmp(client->in, "HTTP/1.1 101 ", 13) != 0) {
            fprintf(stderr, "a handshake was answered with %.40s\n", (char *)client->in);
            exit(1);
        }
        client->is_open = 1;
        opened++;
        return end + 4 - client->in;
    }
    if (client->had < 2 || client->had < 2u + client->in[1])
        return 0;
    if (client->in[0] == 0x89) {
        put(client, pong, sizeof pong);
    } else if (client->in[1] != SIZE || memcmp(client->in, echo, sizeof echo) != 0) {
        wrong++;
    } else {
        answered(client);
    }
    return 2 + client->in[1];
}

static void readable(struct client *client) {
    ssize_t got = recv(client->fd, client->in + client->had, ROOM - client->had, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            lose(client);
        return;
    }
    client->had += got;
    for (size_t size; (size = take(client));) {
        client->had -= size;
        memmove(client->in, client->in + size, client->had);
    }
}

static void serve_until(double deadline, int is_enough(void)) {
    struct epoll_event events[EVENTS];
    for (double left; (left = deadline - now()) > 0 && !is_enough();) {
        int ready = epoll_wait(epoll, events, EVENTS, left * 1000 + 1);
        for (int number = 0; number < ready; number++)
            readable(events[number].data.ptr);
    }
}

static int is_never(void) {
    return 0;
}

static int are_enough_open(void) {
    return opened == dialled;
}

static int is_all_answered(void) {
    return under_way == 0;
}

/* The seconds in the next line; negative at the end of the input. */
static double read_line(void) {
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    for (int told = 0; !told;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int number = 0; number < ready; number++)
            if (events[number].data.ptr)
                readable(events[number].data.ptr);
            else
                told = 1;
    }
    epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    char line[64];
    return fgets(line, sizeof line, stdin) ? atof(line) : -1;
}

static unsigned percentile(double share) {
    unsigned long seen = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if ((seen += times[slot]) >= share * answers)
            return slot;
    return SLOTS;
}

static void run(double seconds) {
    double began = now();
    memset(times, 0, sizeof times);
    answers = 0;
    if (seconds > 0) {
        is_asking = 1;
        for (int number = 0; number < connections && number < AT_ONCE; number++)
            ask(connections <= AT_ONCE ? &clients[number] : next_after(NULL));
        serve_until(began + seconds, is_never);
        is_asking = 0;
        serve_until(now() + 10, is_all_answered);
    }
    printf("{\"units\": %lu, \"seconds\": %.4f, \"errors\": %d, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n", answers,
           now() - began, lost + wrong + under_way, percentile(0.5) / 1e3, percentile(0.99) / 1e3);
    fflush(stdout);
}

static void open_all(int port) {
    clients = calloc(connections, sizeof *clients);
    while (dialled < connections) {
        dial(&clients[dialled++], port);
        if (dialled % 16 == 0) /* no more at once than any server's backlog holds */
            serve_until(now() + 30, are_enough_open);
    }
    serve_until(now() + 30, are_enough_open);
    if (opened < connections) {
        fprintf(stderr, "only %d of %d were opened\n", opened, connections);
        exit(1);
    }
    printf("open\n");
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: %s PORT CONNECTIONS [HOSTS]\n", arguments[0]);
        return 2;
    }
    connections = atoi(arguments[2]);
    hosts = count > 3 ? atoi(arguments[3]) : 0;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdin, NULL, _IONBF, 0);
    epoll = epoll_create1(0);
    message[0] = echo[0] = 0x81;
    message[1] = 0x80 | SIZE;
    echo[1] = SIZE;
    memcpy(message + 2, "\x12\x34\x56\x78", 4);
    for (int at = 0; at < SIZE; at++) {
        echo[2 + at] = 'a' + at % 26;
        message[6 + at] = echo[2 + at] ^ message[2 + at % 4];
    }
    open_all(atoi(arguments[1]));
    for (double seconds; (seconds = read_line()) >= 0;)
        run(seconds);
    return 0;
}
