import zmq

context = zmq.Context()
# create the dealer socket
socket = context.socket(zmq.DEALER)
# authorize it setting the identity
socket.setsockopt(zmq.IDENTITY, b'foobar1')
# connect to blastbeat
socket.connect('tcp://0.0.0.0:5000')

# start receiving messages
while True:
    sid, msg_type, msg_body = socket.recv_multipart()
    print('received a message of type %s' % msg_type.decode())

    # added: tell blastbeat that we are alive
    if msg_type == b'ping':
        socket.send_multipart([sid, b'pong', b''])

    # added: a request begins with a message of type uwsgi; answer it with a page
    if msg_type == b'uwsgi':
        page = b'<h1>Hello from foobar1</h1>\n'
        head = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n' % len(page)
        socket.send_multipart([sid, b'headers', head.encode()])
        socket.send_multipart([sid, b'body', page])
