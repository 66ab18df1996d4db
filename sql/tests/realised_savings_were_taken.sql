-- What counts as saved was taken by this plan, is not given back, and its row is closed.
select *
from {{ ref('reclaim_ledger') }}
where (is_realised or units_freed > 0)
  and (taken_at is null or state <> 'Closed Complete')
  or (is_realised and verified_at is null)
  or (not is_realised and coalesce(realised_annual_capacity <> 0 or realised_cash_at_renewal <> 0, true))
