-- Every dimension bears all that is spent, and every seat.
with borne as (
  select
    tenant_id,
    dimension,
    sku_id,
    coalesce(currency, '') as currency,
    sum(annual_spend) as annual_spend,
    sum(assigned_users) as assigned_users
  from {{ ref('license_chargeback') }}
  group by 1, 2, 3, 4
),

spent as (
  select
    tenant_id,
    sku_id,
    coalesce(currency, '') as currency,
    sum(annual_spend) as annual_spend
  from {{ ref('license_spend') }}
  group by 1, 2, 3
),

dimensions as (
  select distinct dimension from {{ ref('license_chargeback') }}
)

select s.*, d.dimension, b.annual_spend as borne, b.assigned_users
from spent as s
cross join dimensions as d
left join borne as b on b.tenant_id = s.tenant_id and b.dimension = d.dimension and b.sku_id = s.sku_id and b.currency = s.currency
left join {{ ref('license_positions') }} as p on p.tenant_id = s.tenant_id and p.sku_id = s.sku_id
where b.dimension is null or b.annual_spend <> s.annual_spend or b.assigned_users <> p.assigned_users
