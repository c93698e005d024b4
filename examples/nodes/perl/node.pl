use strict;
use warnings;
use Time::HiRes 'time';
use ZMQ::FFI;
use ZMQ::FFI::Constants qw(ZMQ_DEALER ZMQ_IDENTITY ZMQ_RCVTIMEO ZMQ_LINGER);

my ($endpoint, $name, $silence) = @ARGV;
$silence //= 9;    # seconds: three of the server's ping periods
my $context = ZMQ::FFI->new;
my (%uploads, %streams, %chat);    # what is kept of each session, by sid
my ($socket, $stop_at);
$SIG{TERM} = $SIG{INT} = sub { $stop_at //= time + 10 };

sub forget_all { %uploads = %streams = %chat = () }

sub say_to {
    my ($sid, $type, $body) = @_;
    $socket->send_multipart([ $sid, $type, $body // '' ]);
}

sub dial {
    forget_all();
    $socket->close if $socket;
    $socket = $context->socket(ZMQ_DEALER);
    $socket->set(ZMQ_IDENTITY, 'binary', $name);
    $socket->set(ZMQ_RCVTIMEO, 'int', 100);    # milliseconds: look at clock and streams ten times a second
    $socket->set(ZMQ_LINGER, 'int', 0);
    $socket->connect($endpoint);
    say_to('', 'pong');
    return time;
}

sub variables {
    my ($packet) = @_;
    return unpack '(v/a v/a)*', substr $packet, 4;
}

sub answer {
    my ($sid, $body, $status) = @_;
    $status //= '200 OK';
    my $length = length $body;
    say_to($sid, 'headers', "HTTP/1.1 $status\r\nContent-Type: text/plain\r\nContent-Length: $length\r\n\r\n");
    say_to($sid, 'body', $body);
}

sub begin {
    my ($sid, %request) = @_;
    if ($request{HTTP_UPGRADE}) {    # a WebSocket: the server answers the handshake itself
        $chat{$sid} = 1;
    } elsif ($request{HTTP_TRANSFER_ENCODING}) {    # a body of unknown length: an empty piece is the last
        $uploads{$sid} = [ undef, '' ];
    } elsif ($request{CONTENT_LENGTH}) {    # as many bytes follow; nothing marks the end
        $uploads{$sid} = [ $request{CONTENT_LENGTH}, '' ];
    } elsif ($request{PATH_INFO} eq '/stream') {
        say_to($sid, 'headers', "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        $streams{$sid} = 1;
    } elsif ($request{PATH_INFO} eq '/') {
        answer($sid, "hello from $name\n");
    } else {
        answer($sid, "no such page\n", '404 Not Found');
    }
}

sub body_came {
    my ($sid, $piece) = @_;
    my $upload = $uploads{$sid} or return;
    my $length = $upload->[0];
    $upload->[1] .= $piece;
    return unless defined $length ? length $upload->[1] == $length : $piece eq '';
    delete $uploads{$sid};
    answer($sid, $upload->[1]);
}

sub go_on {    # the next piece of each stream: no session waits for another
    for my $sid (keys %streams) {
        my $number = $streams{$sid}++;
        say_to($sid, 'chunk', $number <= 5 ? "$number\n" : '');
        delete $streams{$sid} if $number > 5;
    }
}

my ($heard, $draining) = (dial());
while (1) {
    my ($sid, $type, $body) = eval { $socket->recv_multipart };
    ($sid, $type, $body) = ('', '', '') unless defined $type;    # nothing came in time
    $heard = time if $type;
    if ($type eq 'ping') {
        say_to($sid, 'pong');
    } elsif ($type eq 'uwsgi') {
        begin($sid, variables($body));
    } elsif ($type eq 'body') {
        body_came($sid, $body);
    } elsif ($type eq 'websocket') {
        say_to($_, 'websocket', $body) for keys %chat;
    } elsif ($type eq 'end') {    # nothing more comes of it
        delete $_->{$sid} for \%uploads, \%streams, \%chat;
    } elsif ($type eq 'spawn') {    # a server that has just started knows none of our sessions
        forget_all();
    }
    go_on();
    $heard = dial() if time - $heard > $silence;    # the server has lost us, or another has our name
    if ($stop_at && !$draining) {
        $draining = 1;
        say_to('', 'drain');    # no further request; `drain` comes back at the end
        say_to($_, 'end', '1012 restarting') for keys %chat;
    }
    last if $type eq 'drain' or $stop_at && time > $stop_at;
}
$socket->close;
