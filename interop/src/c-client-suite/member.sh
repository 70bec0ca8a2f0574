#!/bin/bash
# Stands where the C client's tests call bin/zkServer.sh of a distribution, for servers of an ensemble.
# usage: start | status | stop, and a zoo.cfg

cfg=$2
case $1 in
  start)
    # Later a server may take this line out of the file.
    sed -n 's/^clientPort=//p' "$cfg" > "$cfg.port"
    # shellcheck disable=SC2086 # flags, separated by spaces
    "$SUITE_SERVER" "$cfg" $SERVER_JVMFLAGS >> "$cfg.log" 2>&1 &
    echo $! > "$cfg.pid" ;;
  status) (exec 3<> "/dev/tcp/127.0.0.1/$(< "$cfg.port")" && printf srvr >&3 && timeout 2 cat <&3) 2> /dev/null ;;
  stop)
    pid=$(< "$cfg.pid")
    kill "$pid" 2> /dev/null
    for _ in {1..100}; do kill -0 "$pid" 2> /dev/null || exit 0; sleep .05; done
    kill -9 "$pid" 2> /dev/null ;;
esac
exit 0
