import { useEffect, useRef } from 'react';
import { useLocale } from '../messages/locale.tsx';
import { Button } from './button.tsx';

interface LoadMoreProps {
  /** An infinite query. */
  readonly of: {
    readonly data: { readonly pages: readonly unknown[] } | undefined;
    readonly hasNextPage: boolean;
    readonly isFetchingNextPage: boolean;
    fetchNextPage(): Promise<unknown>;
  };
}

/** Loads the next page. After the last page the button disappears, so the focus moves to the text in its place. */
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
