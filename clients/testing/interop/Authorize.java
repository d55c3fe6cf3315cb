// What Apache Kafka's own StandardAuthorizer decides, in this process and without a broker.
// Run as a source file: java -cp 'LIBS/*' Authorize.java < WORLDS. A line of 0 and 1 for each world; see broker/conformance/authorizer.ts.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.metrics.internals.PluginMetricsImpl;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.metadata.authorizer.StandardAcl;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;

public class Authorize {
  static final StringBuilder printed = new StringBuilder();
  static StandardAuthorizer authorizer;

  record Client(KafkaPrincipal principal, InetAddress clientAddress) implements AuthorizableRequestContext {
    public String listenerName() { return "PLAINTEXT"; }
    public SecurityProtocol securityProtocol() { return SecurityProtocol.PLAINTEXT; }
    public int requestType() { return 0; }
    public int requestVersion() { return 0; }
    public String clientId() { return ""; }
    public int correlationId() { return 0; }
  }

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String[] world = null;
    Map<Uuid, StandardAcl> acls = new HashMap<>();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split("\t", -1);
      if (words[0].equals("W")) {
        if (world != null) printed.append('\n');
        world = words;
        authorizer = null;
        acls.clear();
      } else if (words[0].equals("A")) {
        acls.put(Uuid.randomUuid(), aclOf(words));
      } else {
        if (authorizer == null) open(world, acls);
        ask(words);
      }
    }
    System.out.println(printed);
  }

  static void open(String[] world, Map<Uuid, StandardAcl> acls) {
    authorizer = new StandardAuthorizer();
    authorizer.configure(Map.of(
        "allow.everyone.if.no.acl.found", world[1], "super.users", world[2], "node.id", "1", "process.roles", "broker"));
    authorizer.withPluginMetrics(new PluginMetricsImpl(new Metrics(), Map.of()));
    authorizer.loadSnapshot(acls);
    authorizer.completeInitialLoad();
  }

  static void ask(String[] words) throws Exception {
    ResourceType type = ResourceType.fromCode(Byte.parseByte(words[1]));
    AclOperation operation = AclOperation.fromCode(Byte.parseByte(words[3]));
    Client client = new Client(new KafkaPrincipal("User", words[4]), InetAddress.getByName(words[5]));
    AuthorizationResult result = words[0].equals("R")
        ? authorizer.authorizeByResourceType(client, operation, type)
        : authorizer
            .authorize(
                client,
                List.of(new Action(operation, new ResourcePattern(type, words[2], PatternType.LITERAL), 1, true, true)))
            .get(0);
    printed.append(result == AuthorizationResult.ALLOWED ? '1' : '0');
  }

  static StandardAcl aclOf(String[] words) {
    return new StandardAcl(
        ResourceType.fromCode(Byte.parseByte(words[1])),
        words[2],
        PatternType.fromCode(Byte.parseByte(words[3])),
        words[4],
        words[5],
        AclOperation.fromCode(Byte.parseByte(words[6])),
        AclPermissionType.fromCode(Byte.parseByte(words[7])));
  }
}
