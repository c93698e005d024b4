import zmq.green as zmq
import gevent
from gevent.queue import Queue

context = zmq.Context()
# create the dealer socket
socket = context.socket(zmq.DEALER)
# authorize it setting the identity
socket.setsockopt(zmq.IDENTITY, b'foobar1')
# connect to blastbeat
socket.connect('tcp://0.0.0.0:5000')

# our sessions dictionary
sessions = {}

def worker(sid, socket, q):
    # wait for messages forwarded by the consumer
    while True:
        msg_type, msg_body = q.get()
        print("received a message of type", msg_type.decode())

        # added: tell blastbeat that we are alive
        if msg_type == b'ping':
            socket.send_multipart([sid, b'pong', b''])

        # added: a request begins with a message of type uwsgi; answer it with a page
        if msg_type == b'uwsgi':
            page = b'<h1>Hello from foobar1</h1>\n'
            head = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n' % len(page)
            socket.send_multipart([sid, b'headers', head.encode()])
            socket.send_multipart([sid, b'body', page])

        # added: the session is over, nothing more comes for this greenlet
        if msg_type == b'end':
            sessions.pop(sid)
            return

def consumer():
    while True:
        # receive a blastbeat message
        sid, msg_type, msg_body = socket.recv_multipart()
        # if a session for that sid is not available create it
        if not sid in sessions:
            # create a queue
            q = Queue()
            # spawn a greenlet fro the new client
            sessions[sid] = {'queue': q, 'thread': gevent.spawn(worker, sid, socket, q)}

        current_session = sessions[sid]
        current_session['queue'].put((msg_type, msg_body))

# start the consumer greenlet
main_loop = gevent.spawn(consumer)
gevent.joinall([main_loop])
