// The authorizer, with the ACLs that it goes by. Network thread.

import type { Store } from '../../storage/store.ts'
import { Acls } from '../auth/acls.ts'
import { everythingAllowed, type Authorizer } from '../auth/permissions.ts'
import { StandardAuthorizer } from '../auth/standard-authorizer.ts'
import type { BrokerConfig } from '../config.ts'
import type { BrokerEnvironment } from './environment.ts'

interface Authorization {
  readonly authorizer: Authorizer
  /** Undefined without `authorizer.class.name`. */
  readonly acls: Acls | undefined
}

export function composeAuthorizer(
  { authorizer, log }: BrokerEnvironment,
  config: BrokerConfig,
  store: Store,
): Authorization {
  if (authorizer !== undefined) return { authorizer, acls: undefined }
  if (config['authorizer.class.name'] === '') {
    noteIdle(config, store, (message) => log.warn(message))
    return { authorizer: everythingAllowed, acls: undefined }
  }
  const standard = new StandardAuthorizer({
    superUsers: config['super.users'],
    allowEveryoneIfNoAcl: config['allow.everyone.if.no.acl.found'],
  })
  const acls = new Acls({
    records: store.acls,
    authorizer: standard,
    warn: (message) => log.warn(message),
  })
  return { authorizer: standard, acls }
}

/** Without an authorizer a broker with super users or ACLs looks protected, and is not. */
function noteIdle(config: BrokerConfig, store: Store, warn: (message: string) => void): void {
  const [stored] = store.acls.list()
  const idle = [
    ...(config['super.users'].length > 0 ? ['super.users'] : []),
    ...(config['allow.everyone.if.no.acl.found'] ? ['allow.everyone.if.no.acl.found'] : []),
    ...(stored === undefined ? [] : ['the stored ACLs']),
  ]
  if (idle.length > 0)
    warn(`without authorizer.class.name these have no effect: ${idle.join(', ')}`)
}
