/** Something of the machine or of a volume that a container sees at a path of its own. */
export type Mount =
  | { readonly kind: "bind"; readonly from: string; readonly to: string }
  | { readonly kind: "memory"; readonly size: string; readonly to: string };

/** How a container's process sees the machine. */
export interface ContainerRoot {
  readonly hostname: string;
  /** An existing empty folder that nobody else uses at the time. */
  readonly scratch: string;
  readonly mounts: readonly Mount[];
  readonly readOnly: boolean;
  /** The user that it thinks it is; missing: root. */
  readonly user?: number | undefined;
}

/**
 * The root holds the machine's folders, each with a layer above it that takes all writes and is gone with the process; the
 * machine's files are never changed. A folder that cannot have one (the kernel refuses it to users other than root where something
 * is mounted below) is read-only. Then come the volumes, then the user. It stays one process from beginning to end, so that its id,
 * its exit code and its death with its parent are the program's.
 */
const script = `
set -eu
search=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
hostname "$1"
scratch=$2 access=$3 user=$4 layered= volumes=
shift 4
mount -t tmpfs tmpfs "$scratch"
cd "$scratch"
mkdir root
mount -t tmpfs tmpfs root
for name in $(ls /); do
  path=/$name
  if [ -L "$path" ]; then cp -P "$path" root; continue; fi
  [ -d "$path" ] || continue
  mkdir "root/$name"
  case $name in
  proc|sys|dev) mount --rbind "$path" "root/$name" ;;
  run) mount -t tmpfs tmpfs "root/$name" ;;
  tmp) mount -t tmpfs -o mode=1777 tmpfs "root/$name" && layered="$layered $name" ;;
  *)
    mkdir -p "upper/$name" "spare/$name"
    chmod --reference "$path" "upper/$name"
    if mount -t overlay overlay -o "lowerdir=$path,upperdir=$scratch/upper/$name,workdir=$scratch/spare/$name" "root/$name" 2> /dev/null
    then layered="$layered $name"
    else mount --rbind "$path" "root/$name"; mount -o remount,bind,ro "root/$name"
    fi ;;
  esac
done
# Where the machine's own folder belongs to another user, one more layer gives it to us.
provide() {
  above=$1
  while [ ! -e "$above" ]; do above=$(dirname "$above"); done
  if [ "$above" = "$1" ]; then return; fi
  if ! mkdir -p "$1" 2> /dev/null; then
    own=$(mktemp -d "/.machine$scratch/own.XXXXXX")
    mkdir "$own/upper" "$own/spare"
    chmod 755 "$own/upper"
    mount -t overlay overlay -o "lowerdir=$above,upperdir=$own/upper,workdir=$own/spare" "$above"
    mkdir -p "$1"
  fi
}
mkdir root/.machine
cd root
pivot_root . .machine
cd /
while [ "$1" != -- ]; do
  from=/.machine$2 to=$3
  if [ "$1" = bind ] && [ ! -d "$from" ]; then provide "$(dirname "$to")"; [ -e "$to" ] || : > "$to"; else provide "$to"; fi
  if [ "$1" = memory ]; then mount -t tmpfs -o "size=$2" tmpfs "$to"; else mount --bind "$from" "$to"; fi
  volumes="$volumes $to "
  shift 3
done
shift
umount -l /.machine
if [ "$access" = ro ]; then
  for name in $layered ""; do
    case $volumes in *" /$name "*) ;; *) mount -o remount,bind,ro "/$name" ;; esac
  done
fi
if [ "$user" != 0 ]; then set -- unshare --user "--map-user=$user" "--map-group=$user" -- "$@"; fi
exec env "PATH=$search" setpriv --pdeathsig KILL "$@"
`;

/** The command that runs another in a container's root. It needs root's rights, if only in a user namespace. */
export function inContainerRoot({ hostname, scratch, mounts, readOnly, user = 0 }: ContainerRoot, command: readonly string[]): string[] {
  const flat = mounts.flatMap((mount) => [mount.kind, mount.kind === "bind" ? mount.from : mount.size, mount.to]);
  const settings = [hostname, scratch, readOnly ? "ro" : "rw", String(user)];
  const enter = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--uts", "--", "sh", "-c", script, "container"];
  return [...enter, ...settings, ...flat, "--", ...command];
}
