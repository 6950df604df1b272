"""An RTSP client without I/O: bytes in, events out (RFC 2326 over TCP; RTP, RTCP, H.264, H.265).

    client = RtspClient(target_of("rtsp://camera/live"), login, options)
    client.begin(now_s)                              # then, whenever the connection has something:
    consumed = client.receive(buffer, end, now_s)    # buffer[consumed:end] is to come again, with more behind it
    socket.sendall(client.take_output())
    for event in client.take_events(): ...           # Playing, AccessUnit, Moved, Failed

Nothing here decodes a picture, and nothing grows with what a server says beyond `Limits`.
"""
