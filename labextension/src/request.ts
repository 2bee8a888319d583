import { KernelMessage, type Kernel } from '@jupyterlab/services';

import { ADDRESS } from './wire';
import type {
  Act,
  Complete,
  Completions,
  Done,
  Greeting,
  Hello,
  OpenQuestion,
  Settle,
  Show,
  Take
} from './wire';

/** How long a kernel may take to answer, in ms. It takes about 60. */
const TIMEOUT_MS = 10_000;

type Answered<Request> = Request extends Hello
  ? Greeting
  : Request extends Complete
    ? Completions
    : Request extends Show
      ? OpenQuestion
      : Done;

/** Ask something of claude_magic in a kernel, also while a cell is running there. */
export async function request<Request extends Hello | Act | Complete | Show | Take | Settle>(
  kernel: Kernel.IKernelConnection,
  content: Request
): Promise<Answered<Request>> {
  return (await ask(kernel, ADDRESS, content)) as unknown as Answered<Request>;
}

/** Ask something at an address in a kernel; fails with the kernel's reason. */
export async function ask(
  kernel: Kernel.IKernelConnection,
  address: string,
  content: object
): Promise<Record<string, unknown>> {
  const reply = await control(kernel, 'claude_magic_request', { ...content, to: address });
  if (reply['status'] !== 'ok') {
    throw new Error(String(reply['reason'] ?? 'The kernel does not know the request.'));
  }
  return reply;
}

/** Tell whether a comm of a target is open in a kernel, also while a cell is running there. */
export async function hasComm(kernel: Kernel.IKernelConnection, target: string): Promise<boolean> {
  // Every kernel knows this message; ours would be a complaint in the logs of those without us.
  const reply = await control(kernel, 'comm_info_request', { target_name: target });
  return Object.keys((reply['comms'] as object | undefined) ?? {}).length > 0;
}

function control(
  kernel: Kernel.IKernelConnection,
  msgType: string,
  content: object
): Promise<Record<string, unknown>> {
  const message = {
    ...KernelMessage.createMessage({
      msgType: 'debug_request',
      channel: 'control',
      session: kernel.clientId,
      username: kernel.username,
      content: { seq: 0, type: 'request', command: '' }
    }),
    content
  };
  message.header.msg_type = msgType as 'debug_request';
  return new Promise((resolve, reject) => {
    const future = kernel.sendControlMessage(message as KernelMessage.IDebugRequestMsg, true);
    const timer = setTimeout(() => {
      future.dispose();
      reject(new Error('The kernel does not answer.'));
    }, TIMEOUT_MS);
    future.onReply = reply => {
      clearTimeout(timer);
      resolve(reply.content as unknown as Record<string, unknown>);
    };
  });
}
