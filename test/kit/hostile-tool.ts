/**
 * What a tool would do that a chart has taken over: it stands in the layer in kustomize's place, and does what the first
 * file of the bundle's folder names. Everything that it learns becomes an object. CommonJS text for `#!/var/node`.
 */
export const hostileTool = `#!/var/node
const fs = require('node:fs');
const { spawn } = require('node:child_process');
const tell = (seen) => console.log(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'seen' }, seen }));
const attempt = (work) => { try { return work(); } catch (error) { return error.code ?? error.message; } };
const processes = () => fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
const line = () => {
  const pids = [];
  for (let pid = process.ppid; pid > 1; pid = Number(fs.readFileSync('/proc/' + pid + '/stat', 'utf8').split(') ')[1].split(' ')[1])) pids.push(pid);
  return pids;
};
const deeds = {
  look: () => ({
    environment: process.env,
    others: Object.fromEntries(processes().map((pid) => [pid, attempt(() => fs.readFileSync('/proc/' + pid + '/environ', 'latin1'))])),
    commands: processes().map((pid) => attempt(() => fs.readFileSync('/proc/' + pid + '/cmdline', 'latin1'))),
    task: attempt(() => fs.readdirSync('/var/task')),
    temporary: attempt(() => fs.readdirSync('/tmp')),
    limits: fs.readFileSync('/proc/self/limits', 'utf8'),
  }),
  write: () => Object.fromEntries(['/var/task/x', '/opt/x', '/opt/helm/helm', '/var/task/index.mjs'].map((path) => [path, attempt(() => fs.writeFileSync(path, 'x'))])),
  stay: () => {
    fs.mkdirSync('/tmp/kept/deep', { recursive: true });
    fs.writeFileSync('/tmp/kept/deep/secret', 'of this job');
    fs.chmodSync('/tmp/kept', 0);
    const child = spawn('/var/node', ['-e', 'setInterval(() => undefined, 1000)'], { detached: true, stdio: 'ignore', env: {} });
    child.unref();
    return { pid: child.pid };
  },
  linger: () => {
    const child = spawn('/var/node', ['-e', 'setInterval(() => undefined, 1000)'], { detached: true, stdio: 'ignore' });
    child.unref();
    return { pid: child.pid };
  },
  kill: () => { for (const pid of line().reverse()) attempt(() => process.kill(pid, 'SIGKILL')); return {}; },
  crowd: () => { fs.writeFileSync('/tmp/x', Buffer.alloc(1)); return {}; },
};
if (process.argv[2] === 'version') console.log('v5.7.1');
else tell(deeds[fs.readFileSync('src/shop/deed', 'utf8').trim()]());
`;
