// Files that go with the next message: picked, dropped or pasted, shown as chips until they are sent.

import { el, icon, iconButton, refill } from "./dom.js";
import { fileSize } from "./files.js";
import { toast } from "./toast.js";

const LARGEST_BYTES = 20_000_000;
const MOST_FILES = 10; // as Slack has it

/** Chips of the chosen files; `onChange` hears of every change. */
export class Attachments {
  constructor(onChange) {
    this.onChange = onChange;
    this.files = [];
    this.node = el("ul", { class: "attachments", "aria-label": "Files to send", hidden: true });
    this.input = el("input", { type: "file", multiple: true, hidden: true, onchange: () => {
      this.add(this.input.files);
      this.input.value = "";
    } });
  }

  pick() {
    this.input.click();
  }

  add(files) {
    for (const file of files) {
      if (file.size > LARGEST_BYTES) toast(`${file.name} is too large. Files of up to 20 MB can be sent.`, "error");
      else if (this.files.length >= MOST_FILES) toast(`A message takes ${MOST_FILES} files at most.`, "error");
      else this.files = [...this.files, file];
    }
    this.draw();
  }

  set(files) {
    this.files = files;
    this.draw();
  }

  draw() {
    refill(this.node, this.files.map((file) => el("li", { class: "attachment" },
      icon(file.type.startsWith("image/") ? "image" : "file"),
      el("span", { class: "attachment-name" }, file.name), el("small", {}, fileSize(file.size)),
      iconButton("close", `Remove ${file.name}`, () => this.set(this.files.filter((each) => each !== file))))));
    this.node.hidden = !this.files.length;
    this.onChange();
  }

  /** Take files that are dropped on `pane` or pasted into `field`. */
  listen(pane, field) {
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    pane.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      pane.classList.add("dropping");
    });
    pane.addEventListener("dragleave", (event) => {
      if (!pane.contains(event.relatedTarget)) pane.classList.remove("dropping");
    });
    pane.addEventListener("drop", (event) => {
      pane.classList.remove("dropping");
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.add(event.dataTransfer.files);
      field.focus();
    });
    field.addEventListener("paste", (event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
  }
}

/** Files as the server takes them: {name, mimetype, content}. */
export function encodeFiles(files) {
  return Promise.all(files.map(async (file) => ({
    name: file.name, mimetype: file.type || "application/octet-stream", content: await base64(file),
  })));
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
