import { tables } from '../../tables.js'

export const get = async () => {
  const lines = await tables.lines.search().all()
  return [...new Set(lines.map(({ room }) => room))]
}
