#!/usr/bin/env bash
# Apache Kafka, one KRaft node on loopback: the peer that the client must run unchanged on, and that benches compare with.
#
#   bench/peers/kafka.sh start [PORT]     prints host:port when it answers; data lies in $KAFKA_PEER_DIR
#   bench/peers/kafka.sh kill             as a crash would: the data stays, `start` goes on with it
#   bench/peers/kafka.sh halt             in order; the data stays
#   bench/peers/kafka.sh stop             and removes the data
#   bench/peers/kafka.sh command [PORT]   prepares the data and prints what `start` would run, one word a line
#   bench/peers/kafka.sh classpath        prints where the jars are, Kafka's own tools among them
#
# KAFKA_HOME: an unpacked release (its libs/ are used). Without it the jars come through Maven (`mvn`), once.
# KAFKA_VERSION: which; the newest whose tools are published too unless given.
# KAFKA_PEER_DIR: default $TMPDIR/millrace-kafka-peer, where the jars always are. Needs Java 17.
# KAFKA_PROPERTIES: more lines for server.properties, which win. KAFKA_HEAP_OPTS, KAFKA_OPTS: as Kafka's own scripts have them.
# KAFKA_SCRAM: users for `format --add-scram`, one a line: SCRAM-SHA-256=[name=ann,password=secret]
set -eu

version=${KAFKA_VERSION:-4.3.1}
cache=${TMPDIR:-/tmp}/millrace-kafka-peer
dir=${KAFKA_PEER_DIR:-$cache}
# What kafka-server-start.sh and kafka-run-class.sh give the JVM.
jvm=(${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35
  -XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15 -Djava.awt.headless=true ${KAFKA_OPTS:-})

libs() {
  if [ -n "${KAFKA_HOME:-}" ]; then
    echo "$KAFKA_HOME/libs"
    return
  fi
  libs=$cache/libs-$version
  if [ ! -e "$libs/kafka-tools-$version.jar" ]; then
    mkdir -p "$cache"
    cat > "$cache/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId><artifactId>kafka-peer</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
POM
    mvn -q -B -f "$cache/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" >&2 || exit 1
  fi
  echo "$libs"
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
${KAFKA_PROPERTIES:-}
PROPERTIES
}

# Sets port and classpath.
prepare() {
  port=${1:-19092}
  if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
    echo "something else listens on port $port" >&2
    exit 1
  fi
  classpath="$(libs)/*"
  mkdir -p "$dir"
  properties "$port" > "$dir/server.properties"
  if [ ! -d "$dir/data" ]; then
    id=$(java -cp "$classpath" kafka.tools.StorageTool random-uuid 2> /dev/null)
    users=()
    while read -r user; do [ -z "$user" ] || users+=(--add-scram "$user"); done <<< "${KAFKA_SCRAM:-}"
    java -cp "$classpath" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" "${users[@]}" > "$dir/format.log" 2>&1
  fi
}

start() {
  prepare "$@"
  java "${jvm[@]}" -cp "$classpath" kafka.Kafka "$dir/server.properties" > "$dir/kafka.log" 2>&1 &
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
  start) shift; start "$@" ;;
  kill) end -KILL ;;
  halt) end -TERM ;;
  stop) end -TERM; rm -rf "$dir/data" ;;
  command) shift; prepare "$@"; printf '%s\n' java "${jvm[@]}" -cp "$classpath" kafka.Kafka "$dir/server.properties" ;;
  classpath) jars=$(libs); echo "$jars/*" ;;
  *) sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
