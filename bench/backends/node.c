/* A node that costs as little as possible: answers every `uwsgi` with the same 13 bytes in two messages,
 * every `ping` with a `pong`, and nothing else.
 *
 *     node.bin ENDPOINT NAME
 */
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define FRAME_MAX 64

static const char head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n";
static const char payload[] = "Hello, world!";

static int has_more(void *dealer) {
    int more = 0;
    size_t size = sizeof more;
    zmq_getsockopt(dealer, ZMQ_RCVMORE, &more, &size);
    return more;
}

static void answer(void *dealer, const char *sid, int sid_size, const char *type, const char *body) {
    zmq_send(dealer, sid, sid_size, ZMQ_SNDMORE);
    zmq_send(dealer, type, strlen(type), ZMQ_SNDMORE);
    zmq_send(dealer, body, strlen(body), 0);
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s ENDPOINT NAME\n", arguments[0]);
        return 2;
    }
    void *dealer = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    zmq_setsockopt(dealer, ZMQ_ROUTING_ID, arguments[2], strlen(arguments[2]));
    if (zmq_connect(dealer, arguments[1]) != 0) {
        perror(arguments[1]);
        return 1;
    }
    answer(dealer, "", 0, "pong", "");
    for (;;) {
        char sid[FRAME_MAX], type[FRAME_MAX];
        int sid_size = zmq_recv(dealer, sid, sizeof sid, 0);
        int type_size = has_more(dealer) ? zmq_recv(dealer, type, sizeof type, 0) : 0;
        while (has_more(dealer))
            zmq_recv(dealer, NULL, 0, 0); /* what the request says does not matter here */
        if (sid_size < 0 || sid_size > FRAME_MAX)
            continue;
        if (type_size == 5 && memcmp(type, "uwsgi", 5) == 0) {
            answer(dealer, sid, sid_size, "headers", head);
            answer(dealer, sid, sid_size, "body", payload);
        } else if (type_size == 4 && memcmp(type, "ping", 4) == 0) {
            answer(dealer, sid, sid_size, "pong", "");
        }
    }
}
