import { commands } from './commands';
import { completion } from './completion';
import { explain } from './explain';
import { links } from './links';
import { proposals } from './proposals';
import { question } from './question';
import { prose } from './prose';
import { panel } from './panel';
import { statusBar } from './status_bar';
import { versions } from './versions';

export default [links, statusBar, commands, explain, prose, completion, proposals, question, panel, versions];
