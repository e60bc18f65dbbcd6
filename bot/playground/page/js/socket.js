// The live connection to the playground server: reconnects by itself and tells whether it is up.

const FIRST_RETRY_MS = 400;
const LONGEST_RETRY_MS = 5000;

/** Keep a socket open for one person; `connect(user)` moves it to another. */
export class Socket {
  constructor({ onEvent, onOnline }) {
    this.onEvent = onEvent;
    this.onOnline = onOnline;
    this.socket = null;
    this.retryMs = FIRST_RETRY_MS;
    this.timer = 0;
  }

  connect(user) {
    clearTimeout(this.timer);
    this.socket?.close();
    const address = new URL("/playground/socket", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("user", user);
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.onOnline(true);
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.onEvent(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.onOnline(false);
      this.timer = setTimeout(() => this.connect(user), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 1.7, LONGEST_RETRY_MS);
    };
  }
}
