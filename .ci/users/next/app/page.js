export default function Page() {
  return <p>orders</p>
}
