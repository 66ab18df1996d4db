-- A span of a licence ends after it begins, and not after the next one of the licence begins.
with spans as (
  select
    h.*,
    lead(from_date) over (partition by tenant_id, user_id, sku_id order by from_date) as next_from_date
  from {{ ref('user_license_history') }} as h
)

select *
from spans
where to_date <= from_date
  or last_seen_date < from_date
  or last_seen_date >= to_date
  or previous_date >= from_date
  or next_from_date < to_date
  or (to_date is null and next_from_date is not null)
