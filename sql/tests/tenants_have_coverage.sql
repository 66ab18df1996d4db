-- No row belongs to a tenant whose coverage is not recorded.
select tenant_id from {{ ref('stg_users') }} where tenant_id not in (select tenant_id from {{ ref('stg_table_coverage') }})
union
select tenant_id from {{ ref('stg_subscribed_skus') }} where tenant_id not in (select tenant_id from {{ ref('stg_table_coverage') }})
