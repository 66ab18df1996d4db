-- A SKU that a tenant's newest snapshot holds and no earlier one did, where there is an earlier one.
{{ config(severity='warn') }}
with seen as (
  select tenant_id, sku_id, min(snapshot_date) as first_seen
  from {{ ref('stg_subscribed_skus') }}
  group by 1, 2
),

tenants as (
  select tenant_id, min(snapshot_date) as oldest, max(snapshot_date) as newest
  from {{ ref('stg_subscribed_skus') }}
  group by 1
)

select s.tenant_id, s.sku_id, k.sku_part_number, s.first_seen
from seen as s
join tenants as t on t.tenant_id = s.tenant_id
join {{ ref('int_skus') }} as k on k.tenant_id = s.tenant_id and k.sku_id = s.sku_id
where s.first_seen = t.newest and t.oldest < t.newest
