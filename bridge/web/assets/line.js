// The line to the bridge: a WebSocket that comes back.

const first = 500, longest = 15000; // milliseconds between tries

// open keeps a line. told is given each object that the bridge says, and change
// one of "connecting", "closed" and "token" when the line does. It returns what
// says something to the bridge; false means that nobody hears it.
export function open(told, change) {
  let socket, pause = first;

  async function connect() {
    change("connecting");
    const url = new URL("socket", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    socket = new WebSocket(url);
    socket.onmessage = (e) => {
      pause = first;
      told(JSON.parse(e.data));
    };
    socket.onclose = async () => {
      change(await refused() ? "token" : "closed");
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, longest);
    };
  }

  // refused asks, as a browser does not tell, whether a token is wanted.
  async function refused() {
    try {
      return (await fetch("socket", { cache: "no-store" })).status === 401;
    } catch {
      return false;
    }
  }

  connect();
  return (what) => {
    if (socket.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(what));
    return true;
  };
}
