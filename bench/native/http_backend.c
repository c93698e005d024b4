/* What a proxy that speaks HTTP to its backend is measured with: it answers what `node.c` answers, and as cheaply.
 *
 *     http_backend PORT
 *
 * One thread, epoll, keep-alive. GET anything: 13 bytes. GET /big: 1 MiB in writes of 64 KiB. POST with a length:
 * the body back. A WebSocket handshake with the key of RFC 6455's example: an echo of each message.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 16384, EVENTS = 256, PIECE = 65536, PIECES = 16, KEPT = 262144 };

static const char small_answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
static const char big_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1048576\r\n\r\n";
static const char accepted[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static char piece[PIECE];
static int epoll;

struct buffer {
    char *data;
    size_t size, room;
};

struct client {
    int fd, is_websocket, pieces_left, waits_for_room, is_closing;
    size_t written;
    struct buffer in, out;
};

static void make_room(struct buffer *buffer, size_t size) {
    if (buffer->size + size > buffer->room) {
        buffer->room = (buffer->size + size) * 2;
        buffer->data = realloc(buffer->data, buffer->room);
    }
}

static void put(struct client *client, const void *data, size_t size) {
    make_room(&client->out, size);
    memcpy(client->out.data + client->out.size, data, size);
    client->out.size += size;
}

static void consume(struct client *client, size_t size) {
    memmove(client->in.data, client->in.data + size, client->in.size - size);
    client->in.size -= size;
}

static void forget(struct client *client) {
    close(client->fd);
    free(client->in.data);
    free(client->out.data);
    free(client);
}

static void wait_for_room(struct client *client, int wanted) {
    if (client->waits_for_room == wanted)
        return;
    client->waits_for_room = wanted;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_MOD, client->fd, &event);
}

/* Writes what there is, and pieces of a large answer one by one; false when the client is gone. */
static int flush(struct client *client) {
    struct buffer *out = &client->out;
    for (;;) {
        while (client->written < out->size) {
            ssize_t sent = send(client->fd, out->data + client->written, out->size - client->written, MSG_NOSIGNAL);
            if (sent < 0) {
                wait_for_room(client, 1);
                return errno == EAGAIN;
            }
            client->written += sent;
        }
        client->written = out->size = 0;
        if (!client->pieces_left)
            break;
        client->pieces_left--;
        put(client, piece, PIECE);
    }
    if (out->room > KEPT) {
        free(out->data);
        memset(out, 0, sizeof *out);
    }
    wait_for_room(client, 0);
    return !client->is_closing;
}

static size_t content_length(const char *head, const char *end) {
    for (const char *line = head; line && line + 16 < end; line = memchr(line, '\n', end - line)) {
        line += *line == '\n';
        if (strncasecmp(line, "content-length:", 15) == 0)
            return strtoul(line + 15, NULL, 10);
    }
    return 0;
}

static int is_handshake(const char *head, size_t size) {
    return memmem(head, size, "dGhlIHNhbXBsZSBub25jZQ==", 24) != NULL;
}

/* Messages of at most 65,535 bytes, unmasked and sent back. */
static void echo(struct client *client) {
    size_t at = 0;
    for (;;) {
        unsigned char *frame = (unsigned char *)client->in.data + at;
        size_t left = client->in.size - at, start = 2;
        if (left < 8)
            break;
        size_t size = frame[1] & 127;
        if (size == 126) {
            size = (size_t)frame[2] << 8 | frame[3];
            start = 4;
        }
        if (left < start + 4 + size)
            break;
        unsigned char *mask = frame + start, *data = mask + 4, head[4] = {frame[0], size, 0, 0};
        for (size_t byte = 0; byte < size; byte++)
            data[byte] ^= mask[byte & 3];
        if (start == 4)
            head[1] = 126, head[2] = size >> 8, head[3] = size;
        put(client, head, start);
        put(client, data, size);
        client->is_closing |= (frame[0] & 15) == 8;
        at += start + 4 + size;
    }
    consume(client, at);
}

static int answer(struct client *client) {
    while (!client->is_websocket && !client->pieces_left && client->in.size) {
        char *head = client->in.data, *end = memmem(head, client->in.size, "\r\n\r\n", 4);
        if (!end)
            break;
        end += 4;
        size_t head_size = end - head, length = content_length(head, end);
        if (head_size + length > client->in.size)
            break;
        if (is_handshake(head, head_size)) {
            put(client, accepted, sizeof accepted - 1);
            client->is_websocket = 1;
        } else if (head[0] == 'P') {
            char text[128];
            int size = snprintf(
                text, sizeof text,
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", length);
            put(client, text, size);
            put(client, end, length);
        } else if (memmem(head, head_size, " /big ", 6)) {
            put(client, big_head, sizeof big_head - 1);
            client->pieces_left = PIECES;
        } else {
            put(client, small_answer, sizeof small_answer - 1);
        }
        consume(client, head_size + length);
    }
    if (client->is_websocket)
        echo(client);
    return client->out.size ? flush(client) : 1;
}

static int read_some(struct client *client) {
    make_room(&client->in, ROOM);
    ssize_t got = recv(client->fd, client->in.data + client->in.size, client->in.room - client->in.size, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    client->in.size += got;
    return answer(client);
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct client *client = calloc(1, sizeof *client);
        client->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s PORT\n", arguments[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    memset(piece, 'x', PIECE);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(atoi(arguments[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) {
        perror(arguments[1]);
        return 1;
    }
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int number = 0; number < ready; number++) {
            struct client *client = events[number].data.ptr;
            int is_open = 1;
            if (!client)
                accept_all(listener);
            else if (events[number].events & EPOLLOUT)
                is_open = flush(client) && answer(client);
            if (client && is_open && events[number].events & ~EPOLLOUT)
                is_open = read_some(client);
            if (!is_open)
                forget(client);
        }
    }
}
