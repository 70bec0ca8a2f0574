#!/bin/bash
# Stands where the C client's tests call tests/zkServer.sh: ends the server of the call before, and starts one on tests/zoo.cfg.
# usage: startClean | start | startCleanReadOnly | startRequireSASLAuth [jaas file [read-only]] | stop

port=${ZOOPORT:-22181}
work=$PWD/work
mkdir -p "$work"

if [ -r "$work/pid" ]; then
  last=$(< "$work/pid")
  kill -9 "$last" 2> /dev/null
  for _ in {1..50}; do kill -0 "$last" 2> /dev/null || break; sleep .05; done
  rm -f "$work/pid"
fi

props=(-Dzookeeper.extendedTypesEnabled=true -Dznode.container.checkIntervalMs=100)
alone=
case $1 in
  stop) exit 0 ;;
  start) ;;
  startClean) rm -rf "$work/zkdata" ;;
  startCleanReadOnly) rm -rf "$work/zkdata"; alone=1 ;;
  startRequireSASLAuth)
    props+=(-Dzookeeper.sessionRequireClientSASLAuth=true)
    props+=(-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider)
    if [ -n "$2" ]; then props+=("-Djava.security.auth.login.config=$2"); fi
    alone=$3 ;;
  *) echo "unknown: $1"; exit 2 ;;
esac

mkdir -p "$work/zkdata"
sed "s#TMPDIR#$work#; s#CERTDIR#$PWD/certs#; s#MAXCLIENTCONNECTIONS#${ZKMAXCNXNS:-100}#; s#CLIENTPORT#$port#" tests/zoo.cfg > "$work/zoo.cfg"
if [ -n "$alone" ]; then
  # One of three servers, without the others: it only lets read.
  props+=(-Dreadonlymode.enabled=true)
  for n in 1 2 3; do echo "server.$n=localhost:2288$n:3388$n"; done >> "$work/zoo.cfg"
  echo 1 > "$work/zkdata/myid"
fi

"$SUITE_SERVER" "$work/zoo.cfg" "${props[@]}" >> "$work/server.log" 2>&1 &
pid=$!
echo $pid > "$work/pid"
for _ in {1..600}; do
  if ! kill -0 $pid 2> /dev/null; then echo " the server ended"; exit 0; fi
  if (exec 3<> "/dev/tcp/127.0.0.1/$port" && printf srvr >&3 && timeout 2 grep -q Mode <&3) 2> /dev/null; then exit 0; fi
  sleep .1
done
echo " the server does not answer"
