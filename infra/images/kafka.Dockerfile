# One Apache Kafka node (KRaft) for machines that cannot pull apache/kafka: Debian's Java 17 and Kafka's jars from Maven,
# the set that infra/kafka/pom.xml pins. It is set by KAFKA_* variables as apache/kafka is. For trials, not for production.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS java
RUN mkdir -p /usr/share/man/man1 && apt-get -qq update && \
    apt-get -qq install --no-install-recommends openjdk-17-jre-headless >/dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb

FROM java AS jars
RUN apt-get -qq update && apt-get -qq install --no-install-recommends maven >/dev/null
COPY infra/kafka/pom.xml pom.xml
RUN --mount=type=cache,target=/root/.m2 \
    mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=/opt/kafka/libs

FROM java
COPY --from=jars /opt/kafka/libs /opt/kafka/libs
COPY infra/images/kafka.sh /opt/kafka/start.sh
RUN mkdir /data && chown 10001:10001 /data
USER 10001
EXPOSE 9092
ENTRYPOINT ["/opt/kafka/start.sh"]
