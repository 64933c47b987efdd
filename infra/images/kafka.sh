#!/bin/bash
# Start one Kafka node: KAFKA_SOME_NAME=x becomes some.name=x; storage in /data is formatted when it is new.
set -euo pipefail
properties=/data/server.properties
echo 'log.dirs=/data/log' >"$properties"
while IFS='=' read -r name value; do
    case $name in
        KAFKA_HEAP_OPTS) ;;
        KAFKA_*) name=${name#KAFKA_} && name=${name,,} && echo "${name//_/.}=$value" >>"$properties" ;;
    esac
done < <(env)
java=(java -cp '/opt/kafka/libs/*' -XX:+UseSerialGC)
if [ ! -f /data/log/meta.properties ]; then
    cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)
    "${java[@]}" kafka.tools.StorageTool format --cluster-id "$cluster" --config "$properties" >/dev/null
fi
cat >/data/log4j2.xml <<'XML'
<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
XML
# shellcheck disable=SC2086  # several options
exec "${java[@]}" ${KAFKA_HEAP_OPTS:--Xmx512m} -Dlog4j2.configurationFile=file:/data/log4j2.xml kafka.Kafka "$properties"
