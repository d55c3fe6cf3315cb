// A user's program that a bundler makes one file of: dials the broker that it is given, and sends.

import { Client } from 'millrace'

const client = new Client({ brokers: process.argv[2] })
const producer = client.producer()
producer
  .send('bundled', { value: 'x'.repeat(2000) })
  .then(({ offset }) => console.log(`offset ${offset}`))
  .finally(() => client.close())
