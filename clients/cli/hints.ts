// Hints: for an unknown flag of kcat, rpk or Kafka's scripts, names millrace's flag. Pure.

/** Foreign flag: the text of the hint. */
const hints: Record<string, string> = {
  '-C': 'kcat -C is `millrace tail TOPIC`',
  '-P': 'kcat -P is `millrace produce TOPIC`',
  '-L': 'kcat -L is `millrace cluster info`',
  '-G': 'kcat -G GROUP is `millrace tail TOPIC -g GROUP`',
  '-Q': 'kcat -Q is `millrace topic offsets TOPIC --at @TIME`',
  '-t': 'topics are named without a flag: `millrace tail TOPIC`',
  '--topic': 'topics are named without a flag: `millrace tail TOPIC`',
  '-K': 'keys before a delimiter: --key-delim TEXT',
  '--producer.config': 'that is --command-config',
  '--consumer.config': 'that is --command-config',
  '--password':
    'a password is no argument: MILLRACE_PASSWORD, --password-file, or answer when it is asked for',
  '--new-password':
    'a password is no argument: --generate, --new-password-file, or answer when it is asked for',
  '--tls-enabled': 'that is --tls',
  '--tls-truststore': 'that is --ca',
  '--tls-cert': 'that is --cert',
  '--tls-key': 'that is --cert-key',
  '--sasl-mechanism': 'that is --sasl',
  '--bootstrap-server': 'that is -b, --brokers',
  '--bootstrap-servers': 'that is -b, --brokers',
  '--from-beginning': 'that is -o start',
  '--max-messages': 'that is -n, --count',
  '--num': 'that is -n, --count',
  '--replication-factor': 'that is -r, --replicas',
  '--topic-config': 'that is -c, --config',
  '--property': 'keys: --key-delim; formats: -f, --format',
  '--all-groups': '`millrace group ls` lists them; `group lag` takes several names',
}

/** ` (kcat -L is ...)`; empty for a flag that no other tool has. @param error commander's message */
export function hint(error: string): string {
  const flag = /unknown option '([^'=]+)/.exec(error)?.[1]
  const known = flag === undefined ? undefined : hints[flag]
  return known === undefined ? '' : ` (${known})`
}

/** commander's message without its prefix, on one line. */
export function oneLine(error: string): string {
  return error
    .replace(/^error: /, '')
    .trim()
    .replace('\n', ' ')
}
