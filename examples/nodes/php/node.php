<?php
[, $endpoint, $name] = $argv;
$silence = (float) ($argv[3] ?? 9);  // seconds: three of the server's ping periods
$uploads = $streams = $chat = [];    // what is kept of each session, by sid
$stopAt = $socket = null;
$context = new ZMQContext();
foreach ([SIGTERM, SIGINT] as $signal) {
    pcntl_signal($signal, function () { global $stopAt; $stopAt ??= microtime(true) + 10; });
}

function forgetAll(): void
{
    global $uploads, $streams, $chat;
    $uploads = $streams = $chat = [];
}

function connect(): float
{
    global $context, $socket, $endpoint, $name;
    forgetAll();
    $socket = null;  // closes the one before
    $socket = new ZMQSocket($context, ZMQ::SOCKET_DEALER);
    $socket->setSockOpt(ZMQ::SOCKOPT_IDENTITY, $name);
    $socket->setSockOpt(ZMQ::SOCKOPT_RCVTIMEO, 100);  // milliseconds: look at clock and streams ten times a second
    $socket->setSockOpt(ZMQ::SOCKOPT_LINGER, 0);
    $socket->connect($endpoint);
    send('', 'pong');
    return microtime(true);
}

function send(string $sid, string $type, string $body = ''): void
{
    global $socket;
    $socket->sendmulti([$sid, $type, $body]);
}

function variables(string $packet): array
{
    for ($words = [], $at = 4; $at < strlen($packet); $at += 2 + $size) {
        $size = unpack('v', $packet, $at)[1];
        $words[] = substr($packet, $at + 2, $size);
    }
    return array_column(array_chunk($words, 2), 1, 0);
}

function answer(string $sid, string $body, string $status = '200 OK'): void
{
    $length = strlen($body);
    send($sid, 'headers', "HTTP/1.1 $status\r\nContent-Type: text/plain\r\nContent-Length: $length\r\n\r\n");
    send($sid, 'body', $body);
}

function begin(string $sid, array $request): void
{
    global $name, $uploads, $streams, $chat;
    if (isset($request['HTTP_UPGRADE'])) {  // a WebSocket: the server answers the handshake itself
        $chat[$sid] = true;
    } elseif (isset($request['HTTP_TRANSFER_ENCODING'])) {  // a body of unknown length: an empty piece is the last
        $uploads[$sid] = [null, ''];
    } elseif ((int) ($request['CONTENT_LENGTH'] ?? 0)) {  // as many bytes follow; nothing marks the end
        $uploads[$sid] = [(int) $request['CONTENT_LENGTH'], ''];
    } elseif ($request['PATH_INFO'] === '/stream') {
        send($sid, 'headers', "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        $streams[$sid] = 1;
    } elseif ($request['PATH_INFO'] === '/') {
        answer($sid, "hello from $name\n");
    } else {
        answer($sid, "no such page\n", '404 Not Found');
    }
}

function bodyCame(string $sid, string $piece): void
{
    global $uploads;
    if (!isset($uploads[$sid])) {
        return;
    }
    $uploads[$sid][1] .= $piece;
    [$length, $body] = $uploads[$sid];
    if ($length === null ? $piece === '' : strlen($body) === $length) {
        unset($uploads[$sid]);
        answer($sid, $body);
    }
}

function goOn(): void  // the next piece of each stream: no session waits for another
{
    global $streams;
    foreach ($streams as $sid => $number) {
        send($sid, 'chunk', $number <= 5 ? "$number\n" : '');
        $streams[$sid] = $number + 1;
        if ($number > 5) {
            unset($streams[$sid]);
        }
    }
}

for ($heard = connect(), $draining = false; ; ) {
    try {
        $message = $socket->recvMulti();
    } catch (ZMQSocketException $error) {  // a signal interrupted it
        $message = false;
    }
    [$sid, $type, $body] = $message ?: ['', '', ''];
    if ($message) {
        $heard = microtime(true);
    }
    switch ($type) {
        case 'ping': send($sid, 'pong'); break;
        case 'uwsgi': begin($sid, variables($body)); break;
        case 'body': bodyCame($sid, $body); break;
        case 'websocket':
            foreach ($chat as $member => $_) {
                send($member, 'websocket', $body);
            }
            break;
        case 'end': unset($uploads[$sid], $streams[$sid], $chat[$sid]); break;  // nothing more comes of it
        case 'spawn': forgetAll(); break;  // a server that has just started knows none of our sessions
    }
    goOn();
    if (microtime(true) - $heard > $silence) {  // the server has lost us, or another has our name
        $heard = connect();
    }
    pcntl_signal_dispatch();
    if ($stopAt !== null && !$draining) {
        $draining = true;
        send('', 'drain');  // no further request; `drain` comes back at the end
        foreach ($chat as $member => $_) {
            send($member, 'end', '1012 restarting');
        }
    }
    if ($type === 'drain' || ($stopAt !== null && microtime(true) > $stopAt)) {
        break;
    }
}
$socket = null;  // before its context, which waits for it
