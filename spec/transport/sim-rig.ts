/** Transports over the simulated network, each on a machine of its own. */
import type { Machine, TransportRig } from '../contract/transport-contract.ts';
import { SimNetwork, type SimNetworkOptions } from '../sim/sim-network.ts';
import { VirtualTime } from '../sim/virtual-time.ts';

export interface SimRig extends TransportRig {
  readonly time: VirtualTime;
  readonly network: SimNetwork;
}

export function hostOf(index: number): string {
  return `n${index}`;
}

export function simRig(seed = 1, options: SimNetworkOptions = {}): SimRig {
  const time = new VirtualTime(seed, { shuffled: true });
  const network = new SimNetwork(time.timers(), time.stream('network'), options);
  return {
    time,
    network,
    machine: (index): Machine => ({
      host: hostOf(index),
      binds: ['*', '::*'],
      sockets: network.sockets(hostOf(index)),
      system: time.system(),
    }),
    run: (work) => time.run(work),
    end: async () => undefined,
  };
}
