"""A Python client that logs in, or shows a certificate, writes one record and reads it: sasl_peer.py BOOTSTRAP CLIENT ARGUMENT-IN-JSON"""

import json
import logging
import sys
import time

bootstrap, client, argument = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
mechanism, topic = argument["mechanism"], argument["topic"]
username, password, token = argument["username"], argument["password"], argument["token"]
protocol, ca, own = argument["protocol"], argument.get("ca"), argument.get("own")
TIMEOUT_S = 20


def confluent():
    from confluent_kafka import Consumer, Producer

    config = {
        "bootstrap.servers": bootstrap,
        "security.protocol": protocol,
        "error_cb": fail,
    }
    if ca:
        config["ssl.ca.location"] = ca
    if own:
        config["ssl.certificate.location"] = own["cert"]
        config["ssl.key.location"] = own["key"]
    else:
        config["sasl.mechanisms"] = mechanism
    if own:
        pass
    elif mechanism == "OAUTHBEARER":
        config["oauth_cb"] = lambda _: (token, time.time() + 600)
    else:
        config.update({"sasl.username": username, "sasl.password": password})
    producer = Producer(config)
    producer.produce(topic, "written", on_delivery=lambda error, _: error and fail(error))
    if producer.flush(TIMEOUT_S) > 0:
        fail("the record was not written")
    consumer = Consumer({**config, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    message = consumer.poll(TIMEOUT_S)
    value = message and message.value()
    consumer.close()
    return value


def kafka_python():
    from kafka import KafkaConsumer, KafkaProducer

    try:
        from kafka.sasl.oauth import AbstractTokenProvider
    except ImportError:  # before 2.1
        AbstractTokenProvider = object

    # It tries for ever, and tells only its log why.
    class Refused(logging.Handler):
        def emit(self, record):
            if "Sasl" in record.getMessage() or "not enabled" in record.getMessage():
                fail(record.getMessage())

    logging.getLogger("kafka").addHandler(Refused(logging.ERROR))

    class Tokens(AbstractTokenProvider):
        def __init__(self):
            pass

        def token(self):
            return token

        def extensions(self):
            return {}

    config = {
        "bootstrap_servers": bootstrap,
        "security_protocol": protocol,
    }
    if ca:
        config["ssl_cafile"] = ca
    if own:
        config.update({"ssl_certfile": own["cert"], "ssl_keyfile": own["key"]})
    else:
        config["sasl_mechanism"] = mechanism
    if own:
        pass
    elif mechanism == "OAUTHBEARER":
        config["sasl_oauth_token_provider"] = Tokens()
    else:
        config.update({"sasl_plain_username": username, "sasl_plain_password": password})
    producer = KafkaProducer(**config)
    producer.send(topic, b"written").get(TIMEOUT_S)
    producer.close()
    consumer = KafkaConsumer(
        topic,
        **config,
        group_id=topic,
        auto_offset_reset="earliest",
        consumer_timeout_ms=TIMEOUT_S * 1000,
    )
    value = next(consumer).value
    consumer.close()
    return value


def fail(error):
    print(error, file=sys.stderr, flush=True)
    import os

    os._exit(1)


value = {"confluent": confluent, "kafka-python": kafka_python}[client]()
print(value.decode() if value else "nothing")
