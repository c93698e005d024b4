// cc -o node node.c -lzmq
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

struct session {  // what is kept of each session: one that is not listed needs nothing
    char sid[16];
    enum { UPLOAD, STREAM, CHAT } kind;
    long missing;  // of an upload, -1: its length is unknown
    char *body;
    size_t size;
    int number;  // of a stream's next piece
    struct session *next;
};

static void *context, *sock;
static struct session *sessions;
static const char *endpoint, *name;
static volatile sig_atomic_t stopping;

static void stop(int number) { (void)number, stopping = 1; }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void send_message(const void *sid, size_t sid_size, const char *type, const void *body, size_t size) {
    zmq_send(sock, sid, sid_size, ZMQ_SNDMORE);
    zmq_send(sock, type, strlen(type), ZMQ_SNDMORE);
    zmq_send(sock, body, size, 0);
}

static void tell(const char *sid, const char *type, const char *text) {
    send_message(sid, 16, type, text, strlen(text));
}

static void answer(const char *sid, const char *status, const char *body, size_t size) {
    char head[200];
    sprintf(head, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", status, size);
    tell(sid, "headers", head);
    send_message(sid, 16, "body", body, size);
}

static struct session **find(const char *sid) {  // the place of its pointer
    struct session **place = &sessions;
    while (*place && memcmp((*place)->sid, sid, 16)) place = &(*place)->next;
    return place;
}

static void forget(struct session **place) {
    struct session *old = *place;
    if (!old) return;
    *place = old->next;
    free(old->body);
    free(old);
}

static void keep(const char *sid, int kind, long missing) {
    struct session *made = calloc(1, sizeof *made);
    if (!made) abort();
    memcpy(made->sid, sid, 16);
    made->kind = kind, made->missing = missing, made->number = 1, made->next = sessions;
    sessions = made;
}

static double dial(void) {
    int tick = 100, linger = 0;  // milliseconds: look at clock and streams ten times a second
    while (sessions) forget(&sessions);
    if (sock) zmq_close(sock);
    sock = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(sock, ZMQ_IDENTITY, name, strlen(name));
    zmq_setsockopt(sock, ZMQ_RCVTIMEO, &tick, sizeof tick);
    zmq_setsockopt(sock, ZMQ_LINGER, &linger, sizeof linger);
    if (zmq_connect(sock, endpoint)) perror(endpoint), exit(1);
    send_message("", 0, "pong", "", 0);
    return now();
}

// The value of a variable, empty where there is none; until the next call.
static char *variable(const char *packet, size_t size, const char *wanted) {
    static char value[65536];
    for (size_t at = 4; at + 2 <= size;) {
        size_t length[2], start[2];
        for (int part = 0; part < 2; part++) {
            length[part] = (unsigned char)packet[at] | (unsigned char)packet[at + 1] << 8;
            start[part] = at + 2;
            at += 2 + length[part];
        }
        if (length[0] != strlen(wanted) || memcmp(packet + start[0], wanted, length[0])) continue;
        memcpy(value, packet + start[1], length[1]);
        value[length[1]] = 0;
        return value;
    }
    return strcpy(value, "");
}

static void begin(const char *sid, const char *packet, size_t size) {
    forget(find(sid));
    if (*variable(packet, size, "HTTP_UPGRADE")) {  // a WebSocket: the server answers the handshake itself
        keep(sid, CHAT, 0);
        return;
    }
    if (*variable(packet, size, "HTTP_TRANSFER_ENCODING")) {  // unknown length: an empty piece is the last
        keep(sid, UPLOAD, -1);
        return;
    }
    long length = atol(variable(packet, size, "CONTENT_LENGTH"));
    const char *path = variable(packet, size, "PATH_INFO");
    if (length) {  // as many bytes follow; nothing marks the end
        keep(sid, UPLOAD, length);
    } else if (!strcmp(path, "/stream")) {
        tell(sid, "headers", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        keep(sid, STREAM, 0);
    } else if (!strcmp(path, "/")) {
        char text[300];
        answer(sid, "200 OK", text, snprintf(text, sizeof text, "hello from %.255s\n", name));
    } else {
        answer(sid, "404 Not Found", "no such page\n", 13);
    }
}

static void body_came(const char *sid, const char *piece, size_t size) {
    struct session **place = find(sid), *upload = *place;
    if (!upload || upload->kind != UPLOAD) return;
    upload->body = realloc(upload->body, upload->size + size + 1);
    if (!upload->body) abort();
    memcpy(upload->body + upload->size, piece, size);
    upload->size += size;
    if (upload->missing < 0 ? size > 0 : upload->size < (size_t)upload->missing) return;
    answer(sid, "200 OK", upload->body, upload->size);
    forget(place);
}

static void go_on(void) {  // the next piece of each stream: no session waits for another
    for (struct session **place = &sessions; *place;) {
        struct session *each = *place;
        char piece[20] = "";
        if (each->kind == STREAM) {
            if (each->number <= 5) sprintf(piece, "%d\n", each->number);
            tell(each->sid, "chunk", piece);
            if (each->number++ > 5) {
                forget(place);
                continue;
            }
        }
        place = &each->next;
    }
}

static void to_chat(const char *type, const char *body, size_t size) {
    for (struct session *each = sessions; each; each = each->next)
        if (each->kind == CHAT) send_message(each->sid, 16, type, body, size);
}

static int receive(zmq_msg_t frames[3]) {  // the number of frames, 0: nothing came in time
    int count = 0, more = 1;
    while (more) {
        zmq_msg_t spare, *frame = count < 3 ? &frames[count] : &spare;
        if (frame == &spare) zmq_msg_init(frame);
        if (zmq_msg_recv(frame, sock, 0) < 0) return 0;
        more = zmq_msg_more(frame), count++;
        if (frame == &spare) zmq_msg_close(frame);
    }
    return count;
}

int main(int count, char **arguments) {
    if (count < 3) return fprintf(stderr, "usage: node ENDPOINT NAME [SECONDS OF SILENCE]\n"), 2;
    endpoint = arguments[1], name = arguments[2];
    double silence = count > 3 ? atof(arguments[3]) : 9;  // three of the server's ping periods
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL), sigaction(SIGINT, &action, NULL);
    context = zmq_ctx_new();
    double heard = dial(), stop_at = 0;
    for (int drained = 0; !drained && (!stop_at || now() < stop_at);) {
        zmq_msg_t frames[3];
        for (int i = 0; i < 3; i++) zmq_msg_init(&frames[i]);
        if (receive(frames) == 3) {
            char *sid = zmq_msg_data(&frames[0]), *body = zmq_msg_data(&frames[2]);
            size_t sid_size = zmq_msg_size(&frames[0]), size = zmq_msg_size(&frames[2]);
            char type[33];
            snprintf(type, sizeof type, "%.*s", (int)zmq_msg_size(&frames[1]), (char *)zmq_msg_data(&frames[1]));
            heard = now();
            if (!strcmp(type, "ping")) send_message(sid, sid_size, "pong", "", 0);
            else if (!strcmp(type, "spawn")) while (sessions) forget(&sessions);  // a server that has just started
            else if (!strcmp(type, "drain")) drained = 1;
            else if (sid_size != 16) ;  // what follows is about sessions
            else if (!strcmp(type, "uwsgi")) begin(sid, body, size);
            else if (!strcmp(type, "body")) body_came(sid, body, size);
            else if (!strcmp(type, "websocket")) to_chat("websocket", body, size);
            else if (!strcmp(type, "end")) forget(find(sid));  // nothing more comes of it
        }
        for (int i = 0; i < 3; i++) zmq_msg_close(&frames[i]);
        go_on();
        if (now() - heard > silence) heard = dial();  // the server has lost us, or another has our name
        if (stopping && !stop_at) {
            stop_at = now() + 10;
            send_message("", 0, "drain", "", 0);  // no further request; `drain` comes back at the end
            to_chat("end", "1012 restarting", 15);
        }
    }
    zmq_close(sock);
    zmq_ctx_term(context);
}
