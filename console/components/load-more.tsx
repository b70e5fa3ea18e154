import { useEffect, useRef } from 'react';
import { useLocale } from '../messages/locale.tsx';
import { Button } from './button.tsx';

interface LoadMoreProps {
  /** an infinite query */
  readonly of: {
    readonly data: { readonly pages: readonly unknown[] } | undefined;
    readonly hasNextPage: boolean;
    readonly isFetchingNextPage: boolean;
    fetchNextPage(): Promise<unknown>;
  };
}

/** Loads the next page. The last one takes the button away: the focus goes to the word that it was the last. */
export function LoadMore({ of: { data, hasNextPage, isFetchingNextPage, fetchNextPage } }: LoadMoreProps) {
  const { t } = useLocale();
  const isAsked = useRef(false);
  const end = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (isFetchingNextPage || !isAsked.current) return;
    isAsked.current = false;
    if (!hasNextPage) end.current?.focus();
  }, [hasNextPage, isFetchingNextPage]);
  if (!hasNextPage)
    return (data?.pages.length ?? 0) < 2 ? null : (
      <p ref={end} className="hint" tabIndex={-1}>
        {t.allLoaded}
      </p>
    );
  return (
    <div className="actions">
      <Button
        isPending={isFetchingNextPage}
        onPress={() => {
          isAsked.current = true;
          void fetchNextPage();
        }}
      >
        {t.more}
      </Button>
    </div>
  );
}
