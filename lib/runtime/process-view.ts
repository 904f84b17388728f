/** What INFO says of the process, read from Node when asked. */
import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ProcessFacts } from './ports.ts';

const nanosecondsPerMs = 1e6;

/** Starts to watch the event loop; the function returned takes a snapshot. */
export function watchProcess(): () => ProcessFacts {
  const resolutionMs = 10;
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  return () => {
    const memory = process.memoryUsage();
    const use = process.resourceUsage();
    return {
      processId: process.pid,
      uptimeMs: Math.floor(process.uptime() * 1000),
      os: `${process.platform} ${process.arch}`,
      nodeVersion: process.version,
      executable: process.argv[1] ?? process.execPath,
      usedMemoryBytes: memory.heapUsed + memory.external,
      residentBytes: memory.rss,
      peakMemoryBytes: use.maxRSS * 1024,
      totalSystemMemoryBytes: totalmem(),
      userCpuSeconds: use.userCPUTime / 1e6,
      systemCpuSeconds: use.systemCPUTime / 1e6,
      eventLoopDelayP99Ms: Math.max(0, delay.percentile(99) / nanosecondsPerMs - resolutionMs),
    };
  };
}
