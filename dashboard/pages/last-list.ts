import type { RefObject } from 'react';
import { createContext } from 'react';

/** The query of the list as it was last seen, so that going back to it keeps its filters. */
export const LastListContext = createContext<RefObject<string>>({ current: '' });
