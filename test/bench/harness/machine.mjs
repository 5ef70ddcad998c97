import { readFileSync, statfsSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os'
import { installedPeers } from './peers.mjs'
import { Database, driverVersion, manifest } from './project.mjs'
import { missingPython, Python } from './python.mjs'

const FILE_SYSTEMS = {
  0xef53: 'ext4',
  0x01021994: 'tmpfs',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x794c7630: 'overlay',
}

/** What the figures depend on. */
export async function describeMachine(directory = tmpdir()) {
  const processors = cpus()
  const fileSystem = statfsSync(directory).type
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    fileSystem: FILE_SYSTEMS[fileSystem] ?? `0x${fileSystem.toString(16)}`,
    load: loadavg().map(value => Math.round(value * 100) / 100),
    versions: { ...ownVersions(), ...(await pythonVersions()), ...installedPeers() },
  }
}

function ownVersions() {
  const db = new Database(':memory:')
  const sqlite = db.prepare('SELECT sqlite_version()').pluck().get()
  db.close()
  return { node: process.versions.node, [manifest.name]: manifest.version, 'better-sqlite3': driverVersion, sqlite }
}

async function pythonVersions() {
  if (missingPython()) return {}
  const python = new Python()
  const { python: version, diskcache, sqlite } = await python.ask('versions')
  await python.close()
  return { python: version, diskcache, 'sqlite of python': sqlite }
}

export function machineLines(machine) {
  const { processor, cores, memoryGiB, system, fileSystem, load, versions } = machine
  return [
    `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, ${fileSystem}, load ${load.join(' ')}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  ]
}

/** Context switches that others forced on this process, by the count of the kernel: a measure of the noise. */
export function forcedSwitches() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    return Number(/nonvoluntary_ctxt_switches:\s+(\d+)/.exec(status)?.[1])
  } catch {
    return Number.NaN
  }
}
