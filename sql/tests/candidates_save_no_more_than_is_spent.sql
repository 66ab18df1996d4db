-- The units of a SKU that are taken back cost no more than what is paid for the SKU, as far as it pays for the users it is assigned to.
with saved as (
  select tenant_id, sku_id, currency, count(*) as candidates, sum(annual_saving) as annual_saving
  from {{ ref('reclaim_candidates') }}
  where annual_saving is not null
  group by 1, 2, 3
),

spent as (
  select tenant_id, sku_id, currency, max(purchased_units) as purchased_units, sum(annual_spend) as annual_spend
  from {{ ref('license_spend') }}
  where currency is not null
  group by 1, 2, 3
)

select v.tenant_id, v.sku_id, v.currency, v.annual_saving, s.annual_spend
from saved as v
left join spent as s on s.tenant_id = v.tenant_id and s.sku_id = v.sku_id and s.currency = v.currency
where s.sku_id is null or (v.candidates <= s.purchased_units and v.annual_saving > s.annual_spend)
