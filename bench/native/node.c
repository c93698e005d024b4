/* A node that costs as little as possible, for measuring the server in front of it.
 *
 *     node [-b] ENDPOINT NAME          one DEALER of that name
 *     node [-b] ENDPOINT NAME COUNT    COUNT of them: NAME0, NAME1, …
 *
 * GET anything       13 bytes, as `headers` and `body`; with -b both in one message (a batch)
 * GET /big           1 MiB in pieces of 64 KiB, each a `body`
 * POST               the body back, in one `body`
 * websocket message  itself
 * ping               pong
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

enum { SID_MAX = 64, PARTS = 3, BUCKETS = 4096, PIECE = 65536, PIECES = 16, EVENTS = 256 };

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n";
static const char payload[] = "Hello, world!";
static const char big_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1048576\r\n\r\n";
static char piece[PIECE];
static int in_one_batch;

/* --- one message to the server */

static void frame(void *dealer, const void *data, size_t size, int flags) {
    zmq_send(dealer, data, size, flags);
}

static void answer(void *dealer, zmq_msg_t *sid, const char *type, const void *body, size_t size) {
    frame(dealer, zmq_msg_data(sid), zmq_msg_size(sid), ZMQ_SNDMORE);
    frame(dealer, type, strlen(type), ZMQ_SNDMORE);
    frame(dealer, body, size, 0);
}

static void keep(void *data, void *hint) {
    (void)data, (void)hint;
}

static void answer_without_copy(void *dealer, zmq_msg_t *sid, const char *type, void *body, size_t size) {
    frame(dealer, zmq_msg_data(sid), zmq_msg_size(sid), ZMQ_SNDMORE);
    frame(dealer, type, strlen(type), ZMQ_SNDMORE);
    zmq_msg_t message;
    zmq_msg_init_data(&message, body, size, keep, NULL);
    zmq_msg_send(&message, dealer, 0);
}

static void answer_get(void *dealer, zmq_msg_t *sid) {
    frame(dealer, zmq_msg_data(sid), zmq_msg_size(sid), ZMQ_SNDMORE);
    frame(dealer, "headers", 7, ZMQ_SNDMORE);
    if (in_one_batch) {
        frame(dealer, head, sizeof head - 1, ZMQ_SNDMORE);
        frame(dealer, "body", 4, ZMQ_SNDMORE);
        frame(dealer, payload, sizeof payload - 1, 0);
    } else {
        frame(dealer, head, sizeof head - 1, 0);
        answer(dealer, sid, "body", payload, sizeof payload - 1);
    }
}

static void answer_big(void *dealer, zmq_msg_t *sid) {
    answer(dealer, sid, "headers", big_head, sizeof big_head - 1);
    for (int number = 0; number < PIECES; number++)
        answer_without_copy(dealer, sid, "body", piece, PIECE);
}

/* --- uploads that are not whole yet, by sid */

struct upload {
    struct upload *next;
    char sid[SID_MAX], *data;
    size_t sid_size, wanted, had;
};

static struct upload *uploads[BUCKETS];

static struct upload **find_upload(zmq_msg_t *sid) {
    const unsigned char *bytes = zmq_msg_data(sid);
    size_t size = zmq_msg_size(sid);
    unsigned hash = 5381;
    for (size_t at = 0; at < size; at++)
        hash = hash * 33 + bytes[at];
    struct upload **found = &uploads[hash % BUCKETS];
    while (*found && ((*found)->sid_size != size || memcmp((*found)->sid, bytes, size) != 0))
        found = &(*found)->next;
    return found;
}

static void forget_upload(struct upload **place) {
    struct upload *gone = *place;
    if (gone) {
        *place = gone->next;
        free(gone->data);
        free(gone);
    }
}

static void answer_upload(void *dealer, zmq_msg_t *sid, struct upload **place) {
    char text[128];
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                        (*place)->wanted);
    answer(dealer, sid, "headers", text, size);
    if ((*place)->wanted)
        answer(dealer, sid, "body", (*place)->data, (*place)->wanted);
    forget_upload(place);
}

static void begin_upload(void *dealer, zmq_msg_t *sid, size_t wanted) {
    struct upload **place = find_upload(sid);
    forget_upload(place);
    struct upload *upload = calloc(1, sizeof *upload);
    upload->sid_size = zmq_msg_size(sid) < SID_MAX ? zmq_msg_size(sid) : SID_MAX;
    memcpy(upload->sid, zmq_msg_data(sid), upload->sid_size);
    upload->data = malloc(wanted + 1);
    upload->wanted = wanted;
    upload->next = *place;
    *place = upload;
    if (!wanted)
        answer_upload(dealer, sid, place);
}

static void go_on_with_upload(void *dealer, zmq_msg_t *sid, zmq_msg_t *body) {
    struct upload **place = find_upload(sid), *upload = *place;
    if (!upload)
        return;
    size_t left = upload->wanted - upload->had, size = zmq_msg_size(body);
    memcpy(upload->data + upload->had, zmq_msg_data(body), size < left ? size : left);
    upload->had += size < left ? size : left;
    if (upload->had == upload->wanted)
        answer_upload(dealer, sid, place);
}

/* --- what the server says */

static size_t take_size(const unsigned char *data, size_t at) {
    return data[at] | (size_t)data[at + 1] << 8;
}

static void request(void *dealer, zmq_msg_t *sid, zmq_msg_t *body) {
    const unsigned char *data = zmq_msg_data(body);
    size_t size = zmq_msg_size(body), at = 4, length = 0;
    int is_post = 0, is_big = 0, is_upgrade = 0;
    while (at + 2 <= size) {
        size_t name_size = take_size(data, at);
        const char *name = (const char *)data + at + 2;
        at += 2 + name_size;
        size_t value_size = take_size(data, at);
        const char *value = (const char *)data + at + 2;
        at += 2 + value_size;
        if (name_size == 14 && memcmp(name, "REQUEST_METHOD", 14) == 0)
            is_post = value_size == 4 && memcmp(value, "POST", 4) == 0;
        else if (name_size == 9 && memcmp(name, "PATH_INFO", 9) == 0)
            is_big = value_size == 4 && memcmp(value, "/big", 4) == 0;
        else if (name_size == 14 && memcmp(name, "CONTENT_LENGTH", 14) == 0)
            length = strtoul(value, NULL, 10); /* what follows in the packet is no digit: a size or the end */
        else if (name_size == 12 && memcmp(name, "HTTP_UPGRADE", 12) == 0)
            is_upgrade = 1;
    }
    if (is_upgrade)
        return; /* the server answers the handshake */
    if (is_post)
        begin_upload(dealer, sid, length);
    else if (is_big)
        answer_big(dealer, sid);
    else
        answer_get(dealer, sid);
}

static int is(zmq_msg_t *type, const char *word) {
    return zmq_msg_size(type) == strlen(word) && memcmp(zmq_msg_data(type), word, strlen(word)) == 0;
}

static void received(void *dealer, zmq_msg_t part[PARTS]) {
    zmq_msg_t *sid = &part[0], *type = &part[1], *body = &part[2];
    if (is(type, "uwsgi"))
        request(dealer, sid, body);
    else if (is(type, "body"))
        go_on_with_upload(dealer, sid, body);
    else if (is(type, "websocket"))
        answer(dealer, sid, "websocket", zmq_msg_data(body), zmq_msg_size(body));
    else if (is(type, "ping"))
        answer(dealer, sid, "pong", "", 0);
    else if (is(type, "end"))
        forget_upload(find_upload(sid));
}

static int receive(void *dealer) {
    zmq_msg_t part[PARTS], surplus;
    int count = 0, more = 1;
    for (int number = 0; number < PARTS; number++)
        zmq_msg_init(&part[number]);
    zmq_msg_init(&surplus);
    while (more) {
        zmq_msg_t *next = count < PARTS ? &part[count] : &surplus;
        if (zmq_msg_recv(next, dealer, count ? 0 : ZMQ_DONTWAIT) < 0)
            break;
        more = zmq_msg_more(next);
        count++;
    }
    if (count == PARTS)
        received(dealer, part);
    for (int number = 0; number < PARTS; number++)
        zmq_msg_close(&part[number]);
    zmq_msg_close(&surplus);
    return count > 0;
}

static void *open_dealer(void *context, const char *endpoint, const char *name) {
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    int none = 0;
    zmq_setsockopt(dealer, ZMQ_ROUTING_ID, name, strlen(name));
    zmq_setsockopt(dealer, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(dealer, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt(dealer, ZMQ_LINGER, &none, sizeof none);
    if (zmq_connect(dealer, endpoint) != 0) {
        perror(endpoint);
        exit(1);
    }
    zmq_msg_t no_sid;
    zmq_msg_init(&no_sid);
    answer(dealer, &no_sid, "pong", "", 0);
    return dealer;
}

/* zmq_poll looks at every socket each time, which for a thousand costs more than all the rest. The descriptor stays
 * readable until a receive has found nothing, with which each round here ends. */
static void watch(int epoll, void *dealer) {
    int fd;
    size_t size = sizeof fd;
    zmq_getsockopt(dealer, ZMQ_FD, &fd, &size);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = dealer};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    while (receive(dealer))
        ;
}

int main(int count, char **arguments) {
    for (int option; (option = getopt(count, arguments, "b")) != -1;)
        in_one_batch = option == 'b';
    if (count - optind < 2) {
        fprintf(stderr, "usage: %s [-b] ENDPOINT NAME [COUNT]\n", arguments[0]);
        return 2;
    }
    const char *endpoint = arguments[optind], *name = arguments[optind + 1];
    int nodes = count - optind > 2 ? atoi(arguments[optind + 2]) : 1;
    void *context = zmq_ctx_new();
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, nodes + 16);
    memset(piece, 'x', PIECE);
    int epoll = epoll_create1(0);
    for (int number = 0; number < nodes; number++) {
        char full[256];
        snprintf(full, sizeof full, count - optind > 2 ? "%s%d" : "%s", name, number);
        watch(epoll, open_dealer(context, endpoint, full));
    }
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int number = 0; number < ready; number++)
            while (receive(events[number].data.ptr))
                ;
    }
}
