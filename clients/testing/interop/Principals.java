// What Java calls the subjects of certificates, and what Kafka's mapping rules make of each name.
// Arguments: certificates in PEM, `--`, then sets of rules. For each certificate a line: its name, then what each set of rules
// makes of it, in hex; `-` when no rule applies.

import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.security.ssl.SslPrincipalMapper;

public class Principals {
    public static void main(String[] args) throws Exception {
        int end = Arrays.asList(args).indexOf("--");
        List<String> ruleSets = Arrays.asList(args).subList(end + 1, args.length);
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        for (String file : Arrays.copyOfRange(args, 0, end)) {
            try (FileInputStream in = new FileInputStream(file)) {
                X509Certificate certificate = (X509Certificate) factory.generateCertificate(in);
                String name = certificate.getSubjectX500Principal().getName();
                StringBuilder line = new StringBuilder(hex(name));
                for (String rules : ruleSets) line.append(" ").append(mapped(rules, name));
                System.out.println(line);
            }
        }
    }

    private static String mapped(String rules, String name) {
        try {
            return hex(SslPrincipalMapper.fromRules(rules).getName(name));
        } catch (Exception noRule) {
            return "-";
        }
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }
}
