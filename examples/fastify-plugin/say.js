// Says one line in a room and prints what everybody there hears of it: node say.js http://127.0.0.1:3030/rooms/tea 'Hello'
const [, , room, line] = process.argv
const socket = new WebSocket(room.replace(/^http/, 'ws'))
socket.addEventListener('open', () => socket.send(line))
socket.addEventListener('error', () => console.log('the room is closed'))
socket.addEventListener('message', ({ data }) => {
  console.log(data)
  socket.close()
})
