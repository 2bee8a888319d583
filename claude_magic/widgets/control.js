/**
 * The way to the kernel that is open while a cell is running: its control channel. Comm messages,
 * which `model.send` makes, wait there until the cell has ended.
 */

const CONTROL_TIMEOUT_MS = 10000;

/** An id that `crypto.randomUUID` would give, which plain http does not have. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function control(model) {
  const kernel = model.widget_manager?.kernel;
  return typeof kernel?.sendControlMessage === "function" ? kernel : null;
}

/**
 * Ask the kernel something, whatever it is doing, and return what it replies. Fails where the front
 * end has no such way, where the kernel says no, and where it says nothing.
 */
export async function ask(model, content) {
  const kernel = control(model);
  if (kernel === null) {
    throw new Error("This front end cannot reach the kernel while a cell is running.");
  }
  const future = kernel.sendControlMessage(
    {
      channel: "control",
      header: {
        msg_id: randomId(),
        msg_type: "claude_magic_request",
        session: kernel.clientId,
        username: kernel.username ?? "",
        version: "5.3",
        date: new Date().toISOString(),
      },
      parent_header: {},
      metadata: {},
      content,
      buffers: [],
    },
    true,
  );
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("The kernel does not answer.")), CONTROL_TIMEOUT_MS);
  });
  try {
    const reply = await Promise.race([future.done, silence]);
    if (reply?.content?.status !== "ok") {
      throw new Error(reply?.content?.reason ?? "The kernel does not know the question.");
    }
    return reply.content;
  } finally {
    clearTimeout(timer);
    future.dispose();
  }
}
