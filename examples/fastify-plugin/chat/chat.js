const [list, form, input] = ['lines', 'form', 'text'].map((id) => document.getElementById(id))

function show(text) {
  const line = document.createElement('li')
  line.textContent = text
  list.append(line)
}

fetch('/_/api/rooms/tea')
  .then((answer) => answer.json())
  .then((lines) => {
    lines.forEach(show)
    const socket = new WebSocket(new URL('/rooms/tea', location.href))
    socket.addEventListener('message', ({ data }) => show(JSON.parse(data).text))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      socket.send(input.value)
      form.reset()
    })
  })
