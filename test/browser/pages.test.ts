/**
 * The dashboard against the HTTP contract in memory. One file on purpose: to start a browser and load the page for the first
 * time takes longer than ten tests.
 */
// Each registers its tests.
/* oxlint-disable import/no-unassigned-import */
import './list-and-layout.cases.ts';
import './application.cases.ts';
import './dialogs.cases.ts';
import './clusters.cases.ts';
import './repositories.cases.ts';
import './reload.cases.ts';
import './login.cases.ts';
import './accessibility.cases.ts';
