// Read, process, write with Apache Kafka's own client, once whatever happens to the broker: from topic source to topic target.
// Run as a source file: java -cp 'LIBS/*' Copy.java HOST:PORT COUNT. One line for each transaction; the last one is "done".

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Copy {
  static final TopicPartition SOURCE = new TopicPartition("source", 0);
  static String bootstrap;
  static int attempts = 0;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    long count = Long.parseLong(args[1]);
    for (boolean isDone = false; !isDone; ) {
      try (KafkaProducer<String, String> producer = producer();
          KafkaConsumer<String, String> consumer = consumer()) {
        producer.initTransactions();
        consumer.subscribe(List.of(SOURCE.topic()));
        while (committed(consumer) < count) copySome(producer, consumer);
        isDone = true;
      } catch (KafkaException failure) {
        System.out.println("a new producer, after " + failure);
      }
    }
    System.out.println("done");
  }

  static KafkaProducer<String, String> producer() {
    Map<String, Object> config =
        Map.of(
            "bootstrap.servers", bootstrap,
            "transactional.id", "copy",
            "reconnect.backoff.ms", 50,
            "max.block.ms", 30000);
    return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
  }

  static KafkaConsumer<String, String> consumer() {
    Map<String, Object> config =
        Map.of(
            "bootstrap.servers", bootstrap,
            "group.id", "copy",
            "isolation.level", "read_committed",
            "enable.auto.commit", false,
            "auto.offset.reset", "earliest",
            "max.poll.records", 40);
    return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
  }

  static long committed(KafkaConsumer<String, String> consumer) {
    OffsetAndMetadata offset = consumer.committed(Set.of(SOURCE)).get(SOURCE);
    return offset == null ? 0 : offset.offset();
  }

  /** One transaction; every seventh is aborted on purpose. */
  static void copySome(
      KafkaProducer<String, String> producer, KafkaConsumer<String, String> consumer) {
    ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
    if (records.isEmpty()) return;
    try {
      producer.beginTransaction();
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      for (ConsumerRecord<String, String> each : records) {
        producer.send(new ProducerRecord<>("target", 0, null, each.value() + "!"));
        offsets.put(SOURCE, new OffsetAndMetadata(each.offset() + 1));
      }
      producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
      if (++attempts % 7 == 0) throw new KafkaException("on purpose");
      producer.commitTransaction();
      System.out.println("committed");
    } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
      throw fenced;
    } catch (KafkaException failure) {
      producer.abortTransaction();
      for (TopicPartition each : consumer.assignment()) consumer.seek(each, committed(consumer));
      System.out.println("aborted");
    }
  }
}
