/** Where one pod is reached. */
export interface PodAddress {
  /** What the pod's status reports. */
  readonly ip: string;
  /** The address its containers really listen on. */
  readonly host: string;
  /** The port to ask for when a container port is opened; 0: any free one. */
  portFor(containerPort: number): number;
  /** Whether the real ports must be written on the pod, because they are not the container's own. */
  readonly mapped: boolean;
}

/** Gives each pod its address. */
export interface Addresses {
  assign(): PodAddress;
}

/** The annotation that says on which port of 127.0.0.1 a container port really is: `{"8080":41234}`. */
export const portsAnnotation = "sandbox.serin.dev/ports";

/** Pods on free ports of the loopback interface. Their reported IPs are names only: several cannot share one real address. */
export function loopbackAddresses(network = "10.244"): Addresses {
  const next = counter(network);
  return { assign: () => ({ ip: next(), host: "127.0.0.1", portFor: () => 0, mapped: true }) };
}

/** Pods on addresses of their own, which the machine must have, e.g. a network namespace with 10.244.0.0/16 on `lo`. */
export function podAddresses(network = "10.244"): Addresses {
  const next = counter(network);
  return {
    assign: () => {
      const ip = next();
      return { ip, host: ip, portFor: (containerPort) => containerPort, mapped: false };
    },
  };
}

function counter(network: string): () => string {
  let last = 9;
  return () => {
    last++;
    return `${network}.${(last >> 8) & 255}.${last & 255}`;
  };
}

/** The real ports written on a pod, by container port. Empty when there are none or they cannot be read. */
export function realPorts(annotations: Readonly<Record<string, string>> | undefined): ReadonlyMap<number, number> {
  const pairs = (annotations?.[portsAnnotation] ?? "").matchAll(/"(\d+)":(\d+)/g);
  return new Map([...pairs].map(([, from, to]) => [Number(from), Number(to)]));
}
