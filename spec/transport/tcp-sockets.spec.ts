import { realSystem } from '../../lib/runtime/system.ts';
import { TcpSockets } from '../../lib/transport/tcp-sockets.ts';
import { type TransportRig, transportContract } from '../contract/transport-contract.ts';
import { silentLog } from '../sim/virtual-time.ts';

async function tcpRig(): Promise<TransportRig> {
  const system = realSystem(silentLog);
  const machine = {
    host: '127.0.0.1',
    binds: ['127.0.0.1', '-240.0.0.1'],
    sockets: new TcpSockets(silentLog),
    system,
  };
  return {
    machine: () => machine,
    run: async (work) => work,
    end: async () => undefined,
  };
}

transportContract('TCP', tcpRig);
