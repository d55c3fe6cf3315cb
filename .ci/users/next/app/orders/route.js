import { Client } from 'millrace'

const client = new Client({ brokers: process.env.MILLRACE_BROKERS ?? '127.0.0.1:9092' })
const producer = client.producer({ compression: 'lz4' })

export const dynamic = 'force-dynamic'
export async function POST(request) {
  return Response.json(await producer.send('orders', { value: await request.text() }))
}
