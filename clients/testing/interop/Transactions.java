// Transactions of Apache Kafka's own client: commit, abort, read-process-write, fencing, what administrators see.
// Run as a source file: java -cp 'LIBS/*' Transactions.java HOST:PORT. Throws what goes wrong; prints what it did.

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
  static String bootstrap;
  static Admin admin;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    commitAndAbort("java-kept");
    readProcessWrite("java-source", "java-target");
    fencing("java-fenced");
    administration("java-admin");
    timeout("java-late");
    admin.close();
    System.out.println("done");
  }

  static KafkaProducer<String, String> producer(String transactionalId, int timeoutMs) {
    KafkaProducer<String, String> producer =
        new KafkaProducer<>(
            Map.of(
                "bootstrap.servers", bootstrap,
                "transactional.id", transactionalId,
                "transaction.timeout.ms", timeoutMs,
                "max.block.ms", 20000),
            new StringSerializer(),
            new StringSerializer());
    producer.initTransactions();
    return producer;
  }

  static KafkaConsumer<String, String> consumer(String group, String topic, String isolation) {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", bootstrap);
    config.put("group.id", group);
    config.put("isolation.level", isolation);
    config.put("enable.auto.commit", false);
    config.put("auto.offset.reset", "earliest");
    KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    consumer.subscribe(List.of(topic));
    return consumer;
  }

  static void create(String topic, int partitions) throws Exception {
    admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
  }

  /** Everything there is, in order of the values. */
  static List<String> read(String topic, String isolation) {
    List<String> values = new ArrayList<>();
    try (KafkaConsumer<String, String> consumer =
        consumer("readers-" + topic + isolation, topic, isolation)) {
      while (consumer.assignment().isEmpty()) take(consumer, values);
      Map<TopicPartition, Long> ends = consumer.endOffsets(consumer.assignment());
      for (boolean isDone = false; !isDone; ) {
        take(consumer, values);
        isDone = true;
        for (Map.Entry<TopicPartition, Long> end : ends.entrySet())
          isDone &= consumer.position(end.getKey()) >= end.getValue();
      }
    }
    values.sort(null);
    return values;
  }

  static void take(KafkaConsumer<String, String> consumer, List<String> values) {
    for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(100)))
      values.add(each.value());
  }

  static void check(Object found, Object wanted, String what) {
    if (!wanted.equals(found))
      throw new AssertionError(what + ": found " + found + ", wanted " + wanted);
  }

  static void commitAndAbort(String topic) throws Exception {
    create(topic, 3);
    List<String> committed = new ArrayList<>();
    List<String> all = new ArrayList<>();
    try (KafkaProducer<String, String> producer = producer(topic, 60000)) {
      for (int i = 0; i < 30; i++) {
        producer.beginTransaction();
        for (int j = 0; j < 20; j++) {
          String value = String.format("%02d-%02d", i, j);
          producer.send(new ProducerRecord<>(topic, j % 3, null, value));
          all.add(value);
          if (i % 3 != 0) committed.add(value);
        }
        if (i % 3 != 0) producer.commitTransaction();
        else {
          if (i % 2 == 0) producer.flush();
          producer.abortTransaction();
        }
      }
    }
    check(read(topic, "read_committed"), committed, "what was committed");
  }

  static void readProcessWrite(String source, String target) throws Exception {
    create(source, 2);
    create(target, 1);
    try (KafkaProducer<String, String> producer = producer(source, 60000)) {
      producer.beginTransaction();
      for (int i = 0; i < 100; i++)
        producer.send(new ProducerRecord<>(source, i % 2, null, String.format("%03d", i)));
      producer.commitTransaction();
    }
    List<String> wanted = new ArrayList<>();
    for (int i = 0; i < 100; i++) wanted.add(String.format("%03d!", i));
    for (int attempts = 0, handled = 0; handled < 100; attempts++) {
      try (KafkaProducer<String, String> producer = producer(target, 60000);
          KafkaConsumer<String, String> consumer = consumer("workers", source, "read_committed")) {
        ConsumerRecords<String, String> records = ConsumerRecords.empty();
        while (records.isEmpty()) records = consumer.poll(Duration.ofMillis(100));
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> each : records) {
          producer.send(new ProducerRecord<>(target, 0, null, each.value() + "!"));
          offsets.put(
              new TopicPartition(each.topic(), each.partition()),
              new OffsetAndMetadata(each.offset() + 1));
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        if (attempts % 2 == 0) producer.abortTransaction();
        else {
          producer.commitTransaction();
          handled += records.count();
        }
      }
    }
    check(read(target, "read_committed"), wanted, "read, processed and written once");
  }

  static void fencing(String topic) throws Exception {
    create(topic, 1);
    try (KafkaProducer<String, String> older = producer(topic, 60000)) {
      older.beginTransaction();
      older.send(new ProducerRecord<>(topic, "older")).get();
      try (KafkaProducer<String, String> newer = producer(topic, 60000)) {
        newer.beginTransaction();
        newer.send(new ProducerRecord<>(topic, "newer"));
        newer.commitTransaction();
      }
      try {
        older.commitTransaction();
        throw new AssertionError("the older producer commits");
      } catch (ProducerFencedException expected) {
        // so it must be
      }
    }
    check(read(topic, "read_committed"), List.of("newer"), "what the fenced one wrote is not read");
  }

  static void administration(String topic) throws Exception {
    create(topic, 1);
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaProducer<String, String> producer = producer(topic, 60000)) {
      producer.beginTransaction();
      producer.send(new ProducerRecord<>(topic, "open")).get();
      TransactionDescription open =
          admin.describeTransactions(List.of(topic)).all().get().get(topic);
      check(open.state(), TransactionState.ONGOING, "its state");
      check(open.topicPartitions().contains(partition), true, "its partitions");
      long listed =
          admin.listTransactions().all().get().stream()
              .filter(each -> each.transactionalId().equals(topic))
              .count();
      check(listed, 1L, "it is listed");
      ProducerState state =
          admin.describeProducers(List.of(partition)).partitionResult(partition).get()
              .activeProducers().get(0);
      check(state.producerId(), open.producerId(), "its producer");
      check(state.currentTransactionStartOffset().getAsLong(), 0L, "where it begins");
      admin
          .abortTransaction(
              new AbortTransactionSpec(
                  partition, open.producerId(), (short) open.producerEpoch(), 0))
          .all()
          .get();
      TransactionDescription ended =
          admin.describeTransactions(List.of(topic)).all().get().get(topic);
      check(ended.state(), TransactionState.COMPLETE_ABORT, "its state when it was aborted");
    }
    check(read(topic, "read_committed"), List.of(), "what was aborted is not read");
  }

  /** A transaction that the broker aborts for its age: the producer hears of it, and can go on or is fenced. */
  static void timeout(String topic) throws Exception {
    create(topic, 1);
    try (KafkaProducer<String, String> producer = producer(topic, 1000)) {
      producer.beginTransaction();
      producer.send(new ProducerRecord<>(topic, "late")).get();
      while (admin.describeTransactions(List.of(topic)).all().get().get(topic).state()
          == TransactionState.ONGOING) Thread.sleep(100);
      try {
        producer.send(new ProducerRecord<>(topic, "later")).get();
        throw new AssertionError("a transaction that has timed out goes on");
      } catch (ExecutionException expected) {
        check(
            expected.getCause().getClass().getSimpleName(),
            "InvalidProducerEpochException",
            "what the producer hears");
      }
    }
    check(read(topic, "read_committed"), List.of(), "what timed out is not read");
  }
}
