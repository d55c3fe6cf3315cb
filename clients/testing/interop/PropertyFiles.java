// What Apache Kafka makes of property files: Java's syntax, and values from config providers. Run as a source file:
// java -cp 'LIBS/*' PropertyFiles.java FILE... Prints for each file "file", or "refused", and then its properties, one a line:
// name and value in base64.

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;

public class PropertyFiles {
  public static void main(String[] args) throws Exception {
    for (String arg : args) {
      Properties properties = new Properties();
      try (InputStream input = Files.newInputStream(Path.of(arg))) {
        properties.load(input);
      } catch (IllegalArgumentException malformed) {
        System.out.println("refused");
        continue;
      }
      System.out.println("file");
      Map<String, Object> resolved = new AbstractConfig(new ConfigDef(), properties, false).originals();
      resolved.forEach((name, value) -> System.out.println(base64(name) + " " + base64(value)));
    }
  }

  static String base64(Object text) {
    return Base64.getEncoder().encodeToString(text.toString().getBytes(StandardCharsets.UTF_8));
  }
}
