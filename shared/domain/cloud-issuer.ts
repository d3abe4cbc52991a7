/**
 * Issuers of ServiceAccount tokens whose keys rotate and lie at a public address. Hosts are matched exactly, so that no
 * registration makes us ask anybody else (NT-82): `keys` is the address of the key set, `discovery` that of the document
 * that names it.
 */
export type CloudIssuer = { keys: string } | { discovery: string; below: string };

/** Domains of AWS's partitions: standard and GovCloud, China, Europe's sovereign one, and the isolated ones. */
const awsDomains = [
  'amazonaws\\.com',
  'amazonaws\\.com\\.cn',
  'amazonaws\\.eu',
  'c2s\\.ic\\.gov',
  'sc2s\\.sgov\\.gov',
  'cloud\\.adc-e\\.uk',
  'csp\\.hci\\.ic\\.gov',
].join('|');
const eks = new RegExp(`^https://oidc\\.eks\\.[a-z]{2,6}(?:-[a-z]+)+-\\d\\.(?:${awsDomains})/id/[0-9A-Fa-f]{32}$`);
const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const aks = new RegExp(`^https://[a-z][a-z0-9]{0,40}\\.oic\\.prod-aks\\.azure\\.com/${uuid}/${uuid}/$`);

/** Where the keys of this issuer are, when it is EKS's or AKS's; undefined for every other. */
export function cloudIssuer(issuer: string): CloudIssuer | undefined {
  if (eks.test(issuer)) return { keys: `${issuer}/keys` };
  if (aks.test(issuer)) return { discovery: `${issuer}.well-known/openid-configuration`, below: issuer };
  return undefined;
}
