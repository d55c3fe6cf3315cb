#!/usr/bin/env bash
# Apache Kafka, one KRaft node on loopback: the peer that the client must run unchanged on, and that benches compare with.
#
#   bench/peers/kafka.sh start [PORT]   prints host:port when it answers; data and jars lie in $KAFKA_PEER_DIR
#   bench/peers/kafka.sh kill           as a crash would: the data stays, `start` goes on with it
#   bench/peers/kafka.sh stop           and removes the data
#
# KAFKA_HOME: an unpacked release (its libs/ are used). Without it the jars come through Maven (`mvn`), once.
# KAFKA_VERSION: which; 4.1.0 unless given. KAFKA_PEER_DIR: default $TMPDIR/millrace-kafka-peer. Needs Java 17.
set -eu

version=${KAFKA_VERSION:-4.1.0}
dir=${KAFKA_PEER_DIR:-${TMPDIR:-/tmp}/millrace-kafka-peer}

libs() {
  if [ -n "${KAFKA_HOME:-}" ]; then
    echo "$KAFKA_HOME/libs"
    return
  fi
  if [ ! -d "$dir/libs-$version" ]; then
    mkdir -p "$dir"
    cat > "$dir/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId><artifactId>kafka-peer</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
POM
    mvn -q -B -f "$dir/pom.xml" dependency:copy-dependencies -DoutputDirectory="$dir/libs-$version" >&2
  fi
  echo "$dir/libs-$version"
}

properties() {
  cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(($1 + 1))
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$(($1 + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$1
controller.listener.names=CONTROLLER
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
}

start() {
  port=${1:-19092}
  classpath="$(libs)/*"
  properties "$port" > "$dir/server.properties"
  if [ ! -d "$dir/data" ]; then
    id=$(java -cp "$classpath" kafka.tools.StorageTool random-uuid 2> /dev/null)
    java -cp "$classpath" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" > "$dir/format.log" 2>&1
  fi
  java -Xmx1g -cp "$classpath" kafka.Kafka "$dir/server.properties" > "$dir/kafka.log" 2>&1 &
  echo $! > "$dir/pid"
  tries=0
  until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 "$(cat "$dir/pid")" 2> /dev/null; then
      cat "$dir/kafka.log" >&2
      exit 1
    fi
    sleep 0.2
  done
  echo "127.0.0.1:$port"
}

end() {
  if [ -f "$dir/pid" ]; then
    kill "$1" "$(cat "$dir/pid")" 2> /dev/null || true
    while kill -0 "$(cat "$dir/pid")" 2> /dev/null; do sleep 0.2; done
    rm -f "$dir/pid"
  fi
}

case "${1:-}" in
  start) shift; mkdir -p "$dir"; start "$@" ;;
  kill) end -KILL ;;
  stop) end -TERM; rm -rf "$dir/data" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
